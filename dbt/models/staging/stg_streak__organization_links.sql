{{ streak.streak_staging('organization_links', {
    'organizationKey': 'text',
    'linkedOrganizationKey': 'text',
    'teamKey': 'text',
    'isMagicLinked': 'boolean',
    'creationTimestamp': 'time',
    'otherProperties': 'json'
}) }}
