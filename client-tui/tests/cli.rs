//! The command line where it needs no relay: usage, help, and errors with their exit codes.

#[test]
fn commands_say_what_failed_why_and_what_to_do() {
    trycmd::TestCases::new()
        .env("SUSURRO_LANG", "en")
        .env("SUSURRO_PROFILE", "no-profile-here")
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .case("tests/cli/*.trycmd")
        .case("tests/cli/*.toml");
}
