{{ streak.streak_staging('snippets', {
    'key': 'text',
    'snippetKey': 'text',
    'userKey': 'text',
    'creationDate': 'time',
    'lastSavedTimestamp': 'time',
    'partOfPipeline': 'boolean',
    'pipelineKey': 'text',
    'snippetName': 'text',
    'snippetText': 'text',
    'snippetType': 'text',
    'snippetKeyShortcut': 'text',
    'subject': 'text',
    'otherProperties': 'json'
}) }}
