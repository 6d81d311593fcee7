{{ streak.streak_staging('contact_field_values', {
    'contactKey': 'text',
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
}, newest_per='contactKey') }}
