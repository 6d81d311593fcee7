{{ streak.streak_staging('contact_links', {
    'contactKey': 'text',
    'linkedContactKey': 'text',
    'teamKey': 'text',
    'isMagicLinked': 'boolean',
    'creationTimestamp': 'time',
    'otherProperties': 'json'
}) }}
