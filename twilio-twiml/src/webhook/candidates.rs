//! The URLs that a signature may be over.
//!
//! Twilio signs the URL as it was told to request it, but not always to the letter: ports are dropped or added, and the
//! query is sometimes encoded anew (Twilio: Security, "a few caveats"; its own validators try the same forms).

use form_urlencoded::parse;

use crate::encode::percent_encode;

/// The URLs to try for a request: without port, with it, and both with the query encoded anew. Most checks end with the
/// first.
pub(crate) fn of_request(url: &str) -> impl Iterator<Item = String> {
    let parts = Parts::of(url);
    let without = parts.map(|parts| parts.join(None));
    let with = parts.map(|parts| parts.join(Some(parts.port_or_default())));
    // A text that is no URL is tried as it is.
    let plain = if parts.is_none() { Some(url.to_owned()) } else { None };
    let anew = move || {
        let parts = parts?;
        // The two encoders in use differ in whether they leave an apostrophe as it is.
        let queries = [encoded(parts.query?, false), encoded(parts.query?, true)];
        Some(queries.into_iter().flat_map(move |query| {
            [None, Some(parts.port_or_default())].map(|port| Parts { query: Some(&query), ..parts }.join(port))
        }))
    };
    plain.into_iter().chain(without).chain(with).chain(std::iter::once_with(anew).flatten().flatten())
}

/// The URLs to try for a WebSocket upgrade: as for a request, and the same with a slash at the end of the path.
pub(crate) fn of_upgrade(url: &str) -> impl Iterator<Item = String> {
    let slashed = Parts::of(url).map(|parts| {
        let path = format!("{}/", parts.path);
        Parts { path: &path, ..parts }.join(parts.port)
    });
    of_request(url).chain(slashed.into_iter().flat_map(|url| of_request(&url).collect::<Vec<_>>()))
}

/// A URL in pieces, as they stand: nothing is normalised.
#[derive(Clone, Copy)]
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Takes a URL apart. User, password and fragment are never signed, so they are left out.
    fn of(url: &'a str) -> Option<Self> {
        let url = url.split('#').next()?;
        let (scheme, rest) = url.split_once("://")?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = authority.rsplit('@').next()?;
        // An IPv6 address has colons of its own, inside brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
            _ => (authority, None),
        };
        Some(Self { scheme, host, port, path, query })
    }

    fn port_or_default(&self) -> &'a str {
        self.port.unwrap_or(if matches!(self.scheme, "https" | "wss") { "443" } else { "80" })
    }

    fn join(&self, port: Option<&str>) -> String {
        let mut url = String::with_capacity(self.scheme.len() + self.host.len() + self.path.len() + 80);
        url.push_str(self.scheme);
        url.push_str("://");
        url.push_str(self.host);
        if let Some(port) = port {
            url.push(':');
            url.push_str(port);
        }
        url.push_str(self.path);
        if let Some(query) = self.query {
            url.push('?');
            url.push_str(query);
        }
        url
    }
}

/// Decodes a query and encodes it strictly: a blank is `%20`, and little but letters and digits stays as it is.
fn encoded(query: &str, apostrophe: bool) -> String {
    let stays =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*()".contains(&byte) || (byte == b'\'' && !apostrophe);
    let mut text = String::with_capacity(query.len() + 16);
    for (index, (name, value)) in parse(query.as_bytes()).enumerate() {
        if index > 0 {
            text.push('&');
        }
        percent_encode(&mut text, &name, stays);
        text.push('=');
        percent_encode(&mut text, &value, stays);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_url_comes_first_and_each_form_is_tried() {
        let urls: Vec<_> = of_request("https://user:word@h.example:8443/v?q=it's me#rc=2").collect();
        assert_eq!(
            urls,
            [
                "https://h.example/v?q=it's me",
                "https://h.example:8443/v?q=it's me",
                "https://h.example/v?q=it's%20me",
                "https://h.example:8443/v?q=it's%20me",
                "https://h.example/v?q=it%27s%20me",
                "https://h.example:8443/v?q=it%27s%20me",
            ]
        );
        assert_eq!(
            of_request("http://h.example/v").collect::<Vec<_>>(),
            ["http://h.example/v", "http://h.example:80/v"]
        );
        assert_eq!(of_request("nonsense").collect::<Vec<_>>(), ["nonsense"]);
    }

    #[test]
    fn an_upgrade_is_also_tried_with_a_slash() {
        let urls: Vec<_> = of_upgrade("wss://[::1]/media").collect();
        assert_eq!(
            urls,
            ["wss://[::1]/media", "wss://[::1]:443/media", "wss://[::1]/media/", "wss://[::1]:443/media/"]
        );
    }
}
