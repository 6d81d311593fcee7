{{ streak.streak_staging('box_stage_history', {
    'boxKey': 'text',
    'pipelineKey': 'text',
    'stageKey': 'digits',
    'stageName': 'text',
    'lastEntryToStageTs': 'time',
    'timeInStageMs': 'integer',
    'readAt': 'time',
    'otherProperties': 'json'
}, newest_per='boxKey') }}
