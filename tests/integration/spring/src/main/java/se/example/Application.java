package se.example;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@SpringBootApplication
@RestController
public class Application {

    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }

    @GetMapping(path = "/", produces = "text/html; charset=utf-8")
    String show(@AuthenticationPrincipal OidcUser person, CsrfToken token) {
        return """
            <!doctype html><title>Spring</title>
            <p id="person">%s %s</p>
            <form method="post" action="/logout">
              <input type="hidden" name="%s" value="%s">
              <button id="log-out">Log out</button>
            </form>
            """.formatted(
                person.getFullName(),
                person.getClaimAsString("personal_number"),
                token.getParameterName(),
                token.getToken());
    }
}
