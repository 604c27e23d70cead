//! The status page in a real browser: Chromium without a window, driven over WebDriver.
//!
//! With `XTASK_SCREENSHOTS=DIR` the screenshots stay there, to be looked at.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::administration::{administrator, done};
use crate::support::{PATIENCE, Relay, pair, relay};

/// A key by which WebDriver names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

struct Browser {
    driver: Child,
    port: u16,
    session: String,
    http: reqwest::Client,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ending the session ends the browser; without an answer it ends with the driver.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let request = format!("DELETE /session/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", self.session);
            let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read(&mut [0; 64]));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (cargo xtask test installs it)");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map(Result::unwrap).find_map(|line| {
            line.contains("successfully").then(|| line.rsplit(' ').next()?.trim_end_matches('.').parse().ok())?
        });
        // What it says later must find a reader.
        std::thread::spawn(move || lines.count());
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            port: port.unwrap(),
            session: String::new(),
            http: reqwest::Client::new(),
            _profile: profile,
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox", // Containers have no user namespaces for it; only our own page is opened.
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe",
            "--lang=en-GB",
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let made = browser.ask("", Some(wanted)).await;
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// A command of the session, and its value.
    async fn ask(&self, what: &str, body: Option<Value>) -> Value {
        let session = if self.session.is_empty() { String::new() } else { format!("/{}", self.session) };
        let url = format!("http://127.0.0.1:{}/session{session}{what}", self.port);
        let request = match body {
            Some(body) => self.http.post(url).json(&body),
            None => self.http.get(url),
        };
        let answer: Value = request.timeout(PATIENCE * 2).send().await.unwrap().json().await.unwrap();
        let value = answer["value"].clone();
        assert!(value.get("error").is_none(), "{what}: {value}");
        value
    }

    async fn open(&self, url: &str) {
        self.ask("/url", Some(json!({ "url": url }))).await;
    }

    async fn run(&self, script: &str) -> Value {
        self.ask("/execute/sync", Some(json!({ "script": script, "args": [] }))).await
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.ask("/element", Some(json!({ "using": "css selector", "value": selector }))).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.ask(&format!("/element/{element}/click"), Some(json!({}))).await;
    }

    async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.ask(&format!("/element/{element}/value"), Some(json!({ "text": text }))).await;
    }

    /// What a person reads on the page.
    async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap().to_owned()
    }

    async fn shows(&self, words: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return text;
            }
            assert!(Instant::now() < end, "{words} in {text}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        self.ask("/goog/cdp/execute", Some(json!({ "cmd": command, "params": params }))).await
    }

    /// Looks at the page in these colours and this width; nothing may be wider than that.
    async fn look(&self, name: &str, scheme: &str, width: u32) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
        let height = 760;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let wide = self.run("return document.documentElement.scrollWidth").await;
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{name}: {wide} wide in {width}");
        let ground = self.run("return getComputedStyle(document.body).backgroundColor").await;
        let is_dark = ground.as_str().unwrap().starts_with("rgb(22,");
        assert_eq!(is_dark, scheme == "dark", "{name}: {ground}");
        let shot = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        if let Some(folder) = std::env::var_os("XTASK_SCREENSHOTS").map(PathBuf::from) {
            let png = shot["data"].as_str().unwrap();
            let png = from_base64(png);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
        }
    }
}

/// Base64 with padding, as browsers write it.
fn from_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> = text.bytes().filter(|byte| *byte != b'=').map(|byte| digit(byte).into()).collect();
    let whole = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    whole.collect()
}

fn token(relay: &Relay) -> String {
    done(relay, &["token", "root"]).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_works_in_a_browser_keeps_nothing_and_asks_nobody_else() {
    let relay = relay().await;
    let _root = administrator(&relay).await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut talk = alice.connect(0).await;
    for text in [&b"one"[..], b"two", b"three"] {
        talk.deposit(&alice.message(chat, &bob, text)).await.unwrap();
    }
    let token = token(&relay);
    let browser = Browser::start().await;
    browser.open(&format!("{}/admin", relay.running.url())).await;
    browser.shows("Access token of an administrator").await;
    browser.look("enter", "light", 1100).await;

    browser.write("#token", "none of the relay's").await;
    browser.click("#go").await;
    browser.shows("This is no access token.").await;
    browser.write("#token", "e30.e30.e30").await;
    browser.click("#go").await;
    browser.shows("This token is not good, or no longer.").await;
    browser.write("#token", &alice.tokens.access_token).await;
    browser.click("#go").await;
    browser.shows("This account does not administer the relay.").await;

    browser.write("#token", &token).await;
    browser.click("#go").await;
    browser.shows("As of").await;
    let figure = async |name: &str| {
        let script = format!("return document.querySelector('#figure-{name} .large').textContent");
        browser.run(&script).await.as_str().unwrap().to_owned()
    };
    assert_eq!((figure("connections").await, figure("waiting").await), ("1".to_owned(), "3".to_owned()));
    assert_eq!((figure("accounts").await, figure("registration").await), ("3".to_owned(), "open".to_owned()));
    assert_eq!(figure("software").await, env!("CARGO_PKG_VERSION"));
    assert!(browser.text().await.contains("This relay has one node."));
    // It looks again by itself, and only then knows what happens in a second.
    talk.deposit(&alice.message(chat, &bob, b"four")).await.unwrap();
    let text = browser.shows("a second").await;
    assert!(!text.contains("undefined") && !text.contains("NaN"), "{text}");
    assert_eq!(figure("waiting").await, "4");

    for (name, scheme, width) in [
        ("light-wide", "light", 1100),
        ("dark-wide", "dark", 1100),
        ("light-narrow", "light", 360),
        ("dark-narrow", "dark", 360),
    ] {
        browser.look(name, scheme, width).await;
    }
    browser.click("#es").await;
    let spanish = browser.shows("Mensajes guardados").await;
    assert!(spanish.contains("por segundo") && !spanish.contains("Messages"), "{spanish}");
    browser.look("spanish-narrow", "light", 360).await;
    assert_eq!(browser.run("return document.documentElement.lang").await, "es");

    // Nothing is kept but in memory, nothing comes from elsewhere, and nothing was refused by the policy.
    let kept = browser.run("return [localStorage.length, sessionStorage.length, document.cookie]").await;
    assert_eq!(kept, json!([0, 0, ""]));
    let page = browser.run("return document.documentElement.outerHTML + document.getElementById('token').value").await;
    assert!(!page.as_str().unwrap().contains(&token), "the token stands nowhere on the page");
    let asked = browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)").await;
    let asked: Vec<_> = asked.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert!(asked.len() >= 4 && asked.iter().all(|name| name.starts_with(&relay.running.url())), "{asked:?}");
    let log = browser.ask("/se/log", Some(json!({ "type": "browser" }))).await.to_string();
    assert!(!log.contains("Content Security Policy") && !log.contains("Uncaught"), "{log}");

    browser.click("#leave").await;
    let text = browser.shows("Para los administradores de este relay.").await;
    assert!(!text.contains("Mensajes guardados"), "the figures go with the token");
}

#[test]
fn screenshots_are_read_as_browsers_write_them() {
    for (text, bytes) in [("", &b""[..]), ("iVBORw==", b"\x89PNG"), ("+/8A", b"\xfb\xff\0"), ("AAE=", b"\0\x01")] {
        assert_eq!(from_base64(text), bytes);
    }
}
