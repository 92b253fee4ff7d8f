gitlab_rails['omniauth_allow_single_sign_on'] = ['openid_connect']
gitlab_rails['omniauth_block_auto_created_users'] = true
gitlab_rails['omniauth_providers'] = [
  {
    name: 'openid_connect',
    label: 'BankID',
    args: {
      name: 'openid_connect',
      scope: [{{ scopes }}],
      response_type: 'code',
      issuer: {{ issuer }},
      discovery: true,
      client_auth_method: {{ method }},
      uid_field: 'sub',
      gitlab_username_claim: 'sub',
      send_scope_to_token_endpoint: false,
      pkce: true,
      client_options: {
        identifier: {{ client_id }},
        secret: {{ secret }},
        redirect_uri: {{ redirect_uri }}
      }
    }
  }
]
