{{ streak.streak_staging('box_meetings', {
    'boxKey': 'text',
    'key': 'text',
    'pipelineKey': 'text',
    'creatorKey': 'text',
    'meetingType': 'text',
    'startTimestamp': 'time',
    'duration': 'integer',
    'notes': 'text',
    'creationDate': 'time',
    'lastSavedTimestamp': 'time',
    'taskKeys': 'json',
    'isDraft': 'boolean',
    'readAt': 'time',
    'otherProperties': 'json'
}, newest_per='boxKey') }}
