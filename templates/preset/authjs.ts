import NextAuth from "next-auth"

export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [
    {
      id: {{ provider }},
      name: "BankID",
      type: "oidc",
      issuer: process.env.{{ variable }}_ISSUER,
      clientId: process.env.{{ variable }}_ID,
      clientSecret: process.env.{{ variable }}_SECRET,
      client: { token_endpoint_auth_method: {{ method }} },
      authorization: { params: { scope: {{ scope }} } },
      checks: ["pkce", "state", "nonce"],
      profile: (claims) => ({ id: claims.sub, name: claims.name, email: null, image: null }),
    },
  ],
})
