//! Revocation (RFC 7009).

use super::Shown;
use crate::client::mistake::Reason;
use crate::error::{Code, Refusal};
use crate::secret::{Secret, kind as secret};

/// RFC 7009 §2.1–2.2. What is no token of ours is as good as revoked; what is one, but ends by
/// itself and cannot be taken back, is said to be so (§2.2.1).
pub fn target(token: &str) -> Result<Shown, Refusal> {
    let is_code = Secret::<secret::Code>::parse(token).is_some();
    let is_signed = token.starts_with("ey") && token.split('.').count() == 3;
    match Shown::read(token) {
        Shown::Other if is_code || is_signed => Err(Refusal::new(
            Code::UnsupportedTokenType,
            "only refresh tokens and access tokens can be revoked",
        )
        .because(Reason::RevocationUnsupported)),
        shown => Ok(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn tokens_of_two_kinds_can_be_revoked() {
        let _shows = crate::shows!(refusing "RV-03");
        let random = Random::seeded(1);
        let access = Secret::<secret::AccessToken>::fresh(&random);
        let refresh = Secret::<secret::RefreshToken>::fresh(&random);
        let code = Secret::<secret::Code>::fresh(&random);
        assert_eq!(target(access.expose()), Ok(Shown::Access(access.digest())));
        assert_eq!(
            target(refresh.expose()),
            Ok(Shown::Refresh(refresh.digest()))
        );
        assert_eq!(target("whatever"), Ok(Shown::Other));
        for other in [code.expose(), "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
            let refused = target(other).map_err(|refusal| refusal.code);
            assert_eq!(refused, Err(Code::UnsupportedTokenType));
        }
    }
}
