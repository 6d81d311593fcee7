{{ streak.streak_staging('box_organizations', {
    'boxKey': 'text',
    'organizationKey': 'text',
    'pipelineKey': 'text',
    'isStarred': 'boolean',
    'isAutoboxed': 'boolean',
    'otherProperties': 'json'
}) }}
