{{ streak.streak_staging('organization_field_values', {
    'organizationKey': 'text',
    'fieldKey': 'digits',
    'teamKey': 'text',
    'fieldName': 'text',
    'fieldType': 'text',
    'textValue': 'text',
    'numberValue': 'number',
    'booleanValue': 'boolean',
    'timeValue': 'time',
    'optionKeys': 'json',
    'labels': 'json',
    'rawValue': 'text',
    'readAt': 'time',
    'otherProperties': 'json'
}, newest_per='organizationKey') }}
