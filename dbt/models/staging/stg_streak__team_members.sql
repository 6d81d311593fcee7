{{ streak.streak_staging('team_members', {
    'teamKey': 'text',
    'userKey': 'text',
    'teamName': 'text',
    'role': 'text',
    'inviteDate': 'time',
    'inviteStatus': 'text',
    'emailSharing': 'text',
    'displayName': 'text',
    'email': 'text',
    'fullName': 'text',
    'givenName': 'text',
    'image': 'text',
    'userType': 'text',
    'orgKey': 'text',
    'otherProperties': 'json'
}) }}
