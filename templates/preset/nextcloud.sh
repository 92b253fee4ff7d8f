# The secret is asked for, so that no history and no list of processes has it: paste it, press Enter and then Ctrl-D.
sudo -u www-data php occ user_oidc:provider {{ provider }} \
  --clientid={{ client_id }} \
  --clientsecret-file=php://stdin \
  --discoveryuri={{ discovery }} \
{%- if let Some(address) = after_logout %}
  --postlogouturi={{ address }} \
{%- endif %}
  --scope={{ scope }} \
  --mapping-uid=sub \
  --mapping-display-name=name \
  --send-id-token-hint=1
