{{ streak.streak_staging('team_field_options', {
    'teamKey': 'text',
    'appliesTo': 'text',
    'fieldKey': 'digits',
    'key': 'digits',
    'teamName': 'text',
    'fieldName': 'text',
    'label': 'text',
    'position': 'integer',
    'otherProperties': 'json'
}) }}
