{{ streak.streak_staging('box_users', {
    'boxKey': 'text',
    'userKey': 'text',
    'role': 'text',
    'pipelineKey': 'text',
    'displayName': 'text',
    'fullName': 'text',
    'email': 'text',
    'image': 'text',
    'otherProperties': 'json'
}) }}
