{# Whether a stage is in a list of names. `name` and `pipeline` are columns.

   'Closed won'     that name, in any case; " - ", "/", ":" and "_" count as spaces
   'won*'           names that begin with it, as "Won" and "Won 🎉" do, but not "Wonderful" and not "Won't do"
   'Sales: Paid'    the stage "Paid" of the pipeline "Sales" alone #}
{% macro streak_stage_in(name, pipeline, names) %}
    {%- set conditions = [] -%}
    {%- for entry in ([names] if names is string else names) -%}
        {%- set words = streak.streak_stage_words(entry | replace('*', '')) -%}
        {%- set quoted = 'lower(' ~ streak.streak_quoted(words) ~ ')' -%}
        {%- if entry.endswith('*') -%}
            {%- set next = 'substr(' ~ name ~ ', ' ~ (words | length + 1) ~ ', 1)' -%}
            {%- do conditions.append(
                '(substr(' ~ name ~ ', 1, ' ~ words | length ~ ') = ' ~ quoted
                ~ ' and upper(' ~ next ~ ') = ' ~ next ~ ' and ' ~ next ~ ' not in (' ~ streak.streak_quoted("'") ~ ', ' ~ streak.streak_quoted('’') ~ '))'
            ) -%}
        {%- else -%}
            {%- do conditions.append(quoted ~ ' in (' ~ name ~ ', ' ~ dbt.concat([pipeline, "' '", name]) ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return('(' ~ conditions | join('\n            or ') ~ ')' if conditions else '1 = 0') }}
{% endmacro %}


{# What counts as a space in the name of a stage. #}
{% macro streak_space() %}{{ return('[ /:_–—-]+') }}{% endmacro %}

{# A name from the settings with single spaces. #}
{% macro streak_stage_words(text) %}
    {{ return(modules.re.sub(streak.streak_space(), ' ', text | string) | trim) }}
{% endmacro %}

{# A column of names in lower case with single spaces. #}
{% macro streak_words_of(column) %}
    {{ return('trim(' ~ streak.streak_replaced('lower(' ~ column ~ ')', streak.streak_space(), ' ') ~ ')') }}
{% endmacro %}
