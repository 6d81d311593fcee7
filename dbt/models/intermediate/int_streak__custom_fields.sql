-- The custom fields of the boxes, a column each, from the tables of the pipelines. One row per box.
{{ streak.streak_custom_fields() }}
