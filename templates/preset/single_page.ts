import { UserManager } from "oidc-client-ts"

export const users = new UserManager({
  authority: {{ issuer }},
  client_id: {{ client_id }},
  redirect_uri: {{ redirect_uri }},
{%- if let Some(address) = after_logout %}
  post_logout_redirect_uri: {{ address }},
{%- endif %}
  response_type: "code",
  scope: {{ scope }},
  automaticSilentRenew: false,
})
