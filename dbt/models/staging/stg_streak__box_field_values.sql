{{ streak.streak_staging('box_field_values', {
    'boxKey': 'text',
    'pipelineKey': 'text',
    'fieldKey': 'digits',
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
}, newest_per='boxKey') }}
