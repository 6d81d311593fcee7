{{ streak.streak_staging('contact_organizations', {
    'contactKey': 'text',
    'organizationKey': 'text',
    'teamKey': 'text',
    'isMagicLinked': 'boolean',
    'creationTimestamp': 'time',
    'otherProperties': 'json'
}) }}
