{{ streak.streak_staging('team_fields', {
    'teamKey': 'text',
    'appliesTo': 'text',
    'key': 'digits',
    'teamName': 'text',
    'position': 'integer',
    'name': 'text',
    'type': 'text',
    'options': 'json',
    'defaultValue': 'text',
    'lastUpdatedTimestamp': 'time',
    'lastDefaultValueUpdatedTimestamp': 'time',
    'dropdownSettings': 'json',
    'tagSettings': 'json',
    'otherProperties': 'json'
}) }}
