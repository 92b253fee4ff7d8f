sudo -u www-data php occ user_oidc:provider {{ provider }} \
  --clientid={{ client_id }} \
  --clientsecret={{ secret }} \
  --discoveryuri={{ discovery }} \
{%- if let Some(address) = after_logout %}
  --postlogouturi={{ address }} \
{%- endif %}
  --scope={{ scope }} \
  --mapping-uid=sub \
  --mapping-display-name=name \
  --send-id-token-hint=1
