{{ streak.streak_staging('pipeline_fields', {
    'pipelineKey': 'text',
    'key': 'digits',
    'pipelineName': 'text',
    'position': 'integer',
    'name': 'text',
    'type': 'text',
    'options': 'json',
    'defaultValue': 'text',
    'lastUpdatedTimestamp': 'time',
    'lastDefaultValueUpdatedTimestamp': 'time',
    'dropdownSettings': 'json',
    'tagSettings': 'json',
    'aiSettings': 'json',
    'otherProperties': 'json'
}) }}
