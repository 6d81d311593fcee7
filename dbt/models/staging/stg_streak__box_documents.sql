{{ streak.streak_staging('box_documents', {
    'boxKey': 'text',
    'pipelineKey': 'text',
    'name': 'text',
    'document': 'text',
    'readAt': 'time',
    'otherProperties': 'json'
}) }}
