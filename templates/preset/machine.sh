{%- if is_basic -%}
# The secret is asked for, so that no history and no list of processes has it.
{% endif -%}
curl {{ token_url }} \
{%- if is_basic %}
  --user {{ user }} \
{%- else %}
  --data-urlencode client_id={{ client_id }} \
  --data-urlencode client_secret={{ secret }} \
{%- endif %}
{%- if let Some(scope) = scope %}
  --data-urlencode scope={{ scope }} \
{%- endif %}
{%- for resource in resources %}
  --data-urlencode resource={{ resource }} \
{%- endfor %}
  --data grant_type=client_credentials
