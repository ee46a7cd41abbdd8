//! Signing in with a key.

use askama::Template;

use super::frame::Frame;

/// Asks for a key.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// What stands around it.
    pub frame: Frame,
    /// Why the last key was not taken.
    pub refusal: Option<&'static str>,
    /// Where to go after it: a path of this server.
    pub next: String,
}

/// A path to go to after signing in, if it leads to a page of ours: nobody is sent elsewhere.
pub fn next_page(path: Option<&str>) -> String {
    let is_ours = |path: &&str| {
        path.starts_with("/ui/")
            && !path.contains(['\\', '\r', '\n'])
            && !path.contains("//")
            && path.len() < 2000
    };
    path.filter(is_ours).unwrap_or(super::links::PROJECTS).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for bad in
            ["https://evil.example/", "//evil.example", "/ui//evil", "/ui/\\evil", "javascript:x"]
        {
            assert_eq!(next_page(Some(bad)), "/ui/", "{bad}");
        }
        assert_eq!(next_page(Some("/ui/projects/a?x=1")), "/ui/projects/a?x=1");
        assert_eq!(next_page(None), "/ui/");
    }
}
