{{ streak.streak_staging('box_changes', {
    'boxKey': 'text',
    'key': 'text',
    'pipelineKey': 'text',
    'creatorKey': 'text',
    'timestamp': 'time',
    'newsfeedEntryScope': 'text',
    'newsfeedEntryOperation': 'text',
    'newsfeedEntrySpecific': 'text',
    'specificVariables': 'json',
    'storyTextBox': 'text',
    'storyTextPipeline': 'text',
    'storyTextGlobal': 'text',
    'entry': 'json',
    'readAt': 'time',
    'otherProperties': 'json'
}) }}
