{{ streak.streak_staging('pipeline_members', {
    'pipelineKey': 'text',
    'userKey': 'text',
    'pipelineName': 'text',
    'email': 'text',
    'fullName': 'text',
    'displayName': 'text',
    'givenName': 'text',
    'isOwner': 'boolean',
    'image': 'text',
    'permissionSetName': 'text',
    'userType': 'text',
    'isReadOnly': 'boolean',
    'otherProperties': 'json'
}) }}
