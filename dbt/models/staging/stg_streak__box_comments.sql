{{ streak.streak_staging('box_comments', {
    'boxKey': 'text',
    'key': 'text',
    'pipelineKey': 'text',
    'creatorKey': 'text',
    'commentKey': 'text',
    'message': 'text',
    'timestamp': 'time',
    'lastSavedTimestamp': 'time',
    'newsfeedEntryKey': 'text',
    'mentions': 'json',
    'parent': 'text',
    'children': 'json',
    'reactionSummary': 'json',
    'readAt': 'time',
    'otherProperties': 'json'
}, newest_per='boxKey') }}
