{{ streak.streak_staging('box_links', {
    'boxKey': 'text',
    'linkedBoxKey': 'text',
    'pipelineKey': 'text',
    'otherProperties': 'json'
}) }}
