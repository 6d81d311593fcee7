{{ streak.streak_staging('box_contacts', {
    'boxKey': 'text',
    'contactKey': 'text',
    'pipelineKey': 'text',
    'isStarred': 'boolean',
    'isAutoboxed': 'boolean',
    'autoboxerKey': 'text',
    'autoboxingTimestamp': 'time',
    'autoboxingSource': 'text',
    'otherProperties': 'json'
}) }}
