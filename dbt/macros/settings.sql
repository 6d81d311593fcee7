{# The package's variables with their defaults. A project sets them under `vars:`; README.md explains each. #}
{% macro streak_defaults() %}
    {{ return({
        'streak_database': none,
        'streak_schema': none,
        'streak_prefix': '',
        'streak_won_stages': ['won*', 'closed won*', 'hired*', 'solved*', 'done*'],
        'streak_lost_stages': ['lost*', 'closed lost*', 'declined*', 'rejected*'],
        'streak_amount_fields': ['amount', 'deal size', 'deal value', 'value', 'price', 'budget'],
        'streak_amount_locale': '1,200.50',
        'streak_timezone': 'UTC',
        'streak_own_domains': [],
        'streak_public_domains': [
            'gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'msn.com',
            'yahoo.com', 'icloud.com', 'me.com', 'aol.com', 'gmx.de', 'gmx.net', 'web.de',
            'proton.me', 'protonmail.com', 'mail.ru', 'yandex.ru', 'qq.com', '163.com'
        ],
        'streak_custom_fields': 'all',
        'streak_pipeline_tables': 'all',
        'streak_stale_days': 30,
        'streak_history_days': 730,
        'streak_now': none,
        'streak_introspect': true,
        'streak_column_case': none
    }) }}
{% endmacro %}


{# The value of one variable. What a project sets to null is its default. #}
{% macro streak_setting(name) %}
    {%- set defaults = streak.streak_defaults() -%}
    {%- if name not in defaults -%}
        {{ exceptions.raise_compiler_error('The package streak has no variable ' ~ name) }}
    {%- endif -%}
    {%- set given = var(name, none) -%}
    {{ return(defaults[name] if given is none else given) }}
{% endmacro %}


{# Whether a stream or a mart is switched on: the variable streak_use_<name>, by default true. #}
{% macro streak_use(name, default=true) %}
    {{ return(var('streak_use_' ~ name, default) | string | lower in ('true', '1', 'yes')) }}
{% endmacro %}


{# Whether a stream is read: it is not switched off. `streak_use_boxes` and its like switch a mart of the same name;
   the stream stays, for other marts stand on it. #}
{% macro streak_reads(stream) %}
    {{ return(stream in ['boxes', 'contacts', 'organizations'] or streak.streak_use(stream)) }}
{% endmacro %}


{# Whether a mart is built: it and all streams that it hangs on are switched on. #}
{% macro streak_enabled(mart, streams=[], default=true) %}
    {%- set off = [] -%}
    {%- for stream in streams if not streak.streak_reads(stream) -%}
        {%- do off.append(stream) -%}
    {%- endfor -%}
    {{ return(streak.streak_use(mart, default) and not off) }}
{% endmacro %}
