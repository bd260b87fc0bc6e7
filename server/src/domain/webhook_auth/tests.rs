//! Vectors made with another implementation (Python's hmac), and mutations of good deliveries.

use super::{Credential, Delivery, Refused, Verifier};
use hmac::Mac as _;
use proptest::prelude::*;

const NOW: u64 = 1_795_000_000_000;
const BODY: &[u8] = br#"{"message":{"type":"hang"}}"#;
const KEY: &str = r#"secret_key = "0123456789abcdef-key""#;
const URLS: [&str; 2] = ["https://chat.example/webhooks/vapi/p", "/webhooks/vapi/p"];
const TIME: (&str, &str) = ("x-timestamp", "1795000000");

fn credential(text: &str) -> Credential {
    toml::from_str(text).unwrap()
}

fn verify(
    credentials: &[&str],
    headers: &[(&str, &str)],
    body: &[u8],
    now: u64,
) -> Result<(), Refused> {
    let credentials: Vec<_> = credentials.iter().map(|text| credential(text)).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let urls = URLS.map(str::to_owned);
    let delivery = Delivery { method: "POST", urls: &urls, headers: &headers, body };
    Verifier::new(&credentials).unwrap().verify(&delivery, now)
}

#[test]
fn every_form_of_proof_is_known() {
    let hmac = |more: &str| format!("type = \"hmac\"\n{KEY}\n{more}");
    let url_format = r#"payload_format = "{method}\n{url}\n{timestamp}\n{body}""#;
    let default = "8abaccea67c8f3ad785399711578ca9ce95466c27d095a7f93e3dfe2808e8959";
    let sha512 =
        "Yc/4cDbx6TAU6WfRavv9699yvy6baMU8r7LBaeIwpPkXjbN5Q6LSznaxIc9z7IWp4VKA8TeHaVgeMWna+P7IYQ==";
    let github = "sha256=e5bc52f2611ec895505dea58a1d23890187054814c635ac53f6979b2fa0b1523";
    let svix = concat!(
        "type = \"hmac\"\nsecret_key = \"whsec_AAEC/v8wMTIzNDU2Nzg5YWI=\"\nsecret_is_base64 = true\n",
        "payload_format = \"{svix-id}.{timestamp}.{body}\"\nsignature_encoding = \"base64\"\n",
        "signature_header = \"svix-signature\"\nsignature_prefix = \"v1,\"\n",
        "timestamp_header = \"Svix-Timestamp\"\nmessage_id_header = \"Svix-Id\""
    );
    let secret = "type = \"secret\"\nsecret = \"sixteen-letters!\"";
    let bearer = "type = \"bearer\"\ntoken = \"sixteen-letters!\"";
    let cases: Vec<(String, Vec<(&str, &str)>)> = vec![
        (secret.into(), vec![("x-vapi-secret", "sixteen-letters!")]),
        (bearer.into(), vec![("authorization", "Bearer sixteen-letters!")]),
        (
            format!("{bearer}\nheader_name = \"X-Token\"\nbearer_prefix_enabled = false"),
            vec![("x-token", "sixteen-letters!")],
        ),
        (hmac(""), vec![("x-signature", default), TIME]),
        (
            hmac(""),
            vec![
                ("x-signature", "447a6372ffc6f0af1274952f100b6570f93181e463bec07c4cf178b11bcb9e11"),
                ("x-timestamp", "1795000000123"),
            ],
        ),
        (
            hmac("algorithm = \"sha1\""),
            vec![("x-signature", "27547988f6c5a94e4858da3e99cd3d7acf6c7f64"), TIME],
        ),
        (
            hmac("algorithm = \"sha512\"\nsignature_encoding = \"base64\""),
            vec![("x-signature", sha512), TIME],
        ),
        (
            hmac(
                "signature_prefix = \"sha256=\"\ninclude_timestamp = false\nsignature_header = \"X-Vapi-Signature\"",
            ),
            vec![("x-vapi-signature", github)],
        ),
        (
            svix.into(),
            vec![
                ("svix-signature", "v1,mn6Oqx6upSHUjurG+HbJhjy5R2v4wboy6pm1lTYkcaE="),
                ("svix-id", "msg_1"),
                ("svix-timestamp", "1795000000"),
            ],
        ),
        (
            hmac(url_format),
            vec![
                ("x-signature", "888353f7b360ac8f0496ddff5634592d440fbe52ff0117dd0e66ea89deb77403"),
                TIME,
            ],
        ),
        (
            hmac(url_format),
            vec![
                ("x-signature", "1db935dfbbc94c7047faa9dde7e79c2b5730872185c2745fe36b9d045498b4a8"),
                TIME,
            ],
        ),
    ];
    for (text, headers) in cases {
        assert_eq!(verify(&[&text], &headers, BODY, NOW), Ok(()), "{text}");
        // While a secret is replaced, either is good.
        let other = "type = \"secret\"\nsecret = \"another-secret-of-mine\"";
        assert_eq!(verify(&[other, &text], &headers, BODY, NOW), Ok(()), "{text}");
        assert_eq!(verify(&[&text, other], &headers, BODY, NOW), Ok(()), "{text}");
        assert_eq!(verify(&[other], &headers, BODY, NOW), Err(Refused::Unproven), "{text}");
        assert_eq!(verify(&[], &headers, BODY, NOW), Err(Refused::NoCredential), "{text}");
        for missing in 0..headers.len() {
            let mut fewer = headers.clone();
            fewer.remove(missing);
            assert_eq!(verify(&[&text], &fewer, BODY, NOW), Err(Refused::Unproven), "{text}");
            // Twice is as good as not at all, even when both say the same.
            let mut twice = headers.clone();
            twice.push(headers[missing]);
            assert_eq!(verify(&[&text], &twice, BODY, NOW), Err(Refused::Unproven), "{text}");
        }
    }
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let hmac = format!("type = \"hmac\"\n{KEY}");
    let seconds =
        [("x-signature", "8abaccea67c8f3ad785399711578ca9ce95466c27d095a7f93e3dfe2808e8959"), TIME];
    let ms = [
        ("x-signature", "447a6372ffc6f0af1274952f100b6570f93181e463bec07c4cf178b11bcb9e11"),
        ("x-timestamp", "1795000000123"),
    ];
    for (headers, at) in [(seconds, NOW), (ms, NOW + 123)] {
        for (now, verdict) in [
            (at + 300_000, Ok(())),
            (at - 300_000, Ok(())),
            (at + 300_001, Err(Refused::Stale)),
            (at - 300_001, Err(Refused::Stale)),
        ] {
            assert_eq!(verify(&[&hmac], &headers, BODY, now), verdict, "{now}");
        }
    }
}

#[test]
fn unsafe_credentials_are_refused() {
    let cases = [
        ("type = \"secret\"\nsecret = \"short\"", "guessed"),
        ("type = \"bearer\"\ntoken = \"\"", "guessed"),
        ("type = \"bearer\"\ntoken = \"sixteen-letters!\"\nheader_name = \"a b\"", "header"),
        ("type = \"secret\"\nsecret = \" sixteen-letters!\"", "white space"),
    ];
    let hmacs = [
        ("payload_format = \"{timestamp}\"", "{body}"),
        ("payload_format = \"{timestamp}{body}\"", "together"),
        ("payload_format = \"{svix-id}1{body}\"", "together"),
        ("payload_format = \"{body}{body}\"", "{body} once"),
        ("payload_format = \"{timestamp}.{body}\"\ninclude_timestamp = false", "although"),
        ("secret_is_base64 = true", "base64"),
        ("signature_header = \"\"", "header"),
    ];
    let hmacs = hmacs.map(|(more, part)| (format!("type = \"hmac\"\n{KEY}\n{more}"), part));
    let cases = cases.map(|(text, part)| (text.to_owned(), part));
    for (text, part) in cases.into_iter().chain(hmacs) {
        let error = Verifier::new(&[credential(&text)]).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(toml::from_str::<Credential>("type = \"hmac\"\nsecret = \"x\"").is_err());
}

/// One signed delivery, and the changes made to it.
#[derive(Clone, Debug)]
struct Case {
    format: &'static str,
    body: Vec<u8>,
    at: u64,
    id: String,
    change: Change,
    place: usize,
    bit: u8,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Body,
    BodyShorter,
    BodyLonger,
    Signature,
    SignatureCut,
    SignatureCase,
    Time,
    TimeToBody,
    BodyToTime,
    Id,
    Method,
    Url,
    Age,
    Key,
}

fn cases() -> impl Strategy<Value = Case> {
    use Change::{
        Age, Body, BodyLonger, BodyShorter, BodyToTime, Id, Key, Method, Signature, SignatureCase,
        SignatureCut, Time, TimeToBody, Url,
    };
    let formats = prop::sample::select(vec![
        "{timestamp}.{body}",
        "{svix-id}.{timestamp}.{body}",
        "{method}:{url}:{timestamp}:{body}",
        "{body}|{timestamp}|{svix-id}",
    ]);
    let changes = prop::sample::select(vec![
        Body,
        BodyShorter,
        BodyLonger,
        Signature,
        SignatureCut,
        SignatureCase,
        Time,
        TimeToBody,
        BodyToTime,
        Id,
        Method,
        Url,
        Age,
        Key,
    ]);
    let at = prop_oneof![Just(NOW / 1000), NOW - 299_000..NOW + 299_000];
    // Bodies that look like what the format puts between its parts are the hard ones.
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..80),
        "[0-9.|:]{1,40}".prop_map(String::into_bytes),
    ];
    (formats, body, at, "[a-z0-9_]{1,12}", changes, any::<usize>(), 0..8_u8).prop_map(
        |(format, body, at, id, change, place, bit)| Case {
            format,
            body,
            at,
            id,
            change,
            place,
            bit,
        },
    )
}

fn sign(case: &Case) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"0123456789abcdef-key").unwrap();
    let (before, after) = case.format.split_once("{body}").unwrap();
    let fill = |text: &str| {
        text.replace("{timestamp}", &case.at.to_string())
            .replace("{svix-id}", &case.id)
            .replace("{method}", "POST")
            .replace("{url}", URLS[0])
    };
    mac.update(fill(before).as_bytes());
    mac.update(&case.body);
    mac.update(fill(after).as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4_000)))]

    #[test]
    fn no_changed_delivery_is_accepted(case in cases()) {
        let mut signature = sign(&case).into_bytes();
        let (mut body, mut time, mut id) =
            (case.body.clone(), case.at.to_string().into_bytes(), case.id.clone().into_bytes());
        let (mut method, mut urls) = ("POST", vec![URLS[0].to_owned()]);
        let mut now = NOW;
        let mut key = KEY;
        let check = |signature: &[u8], body: &[u8], time: &[u8], id: &[u8], method: &str,
                     urls: &[String], now: u64, key: &str| {
            let text = format!("type = \"hmac\"\n{key}\npayload_format = \"{}\"", case.format);
            let headers = [("x-signature", signature), ("x-timestamp", time), ("svix-id", id)];
            let delivery = Delivery { method, urls, headers: &headers, body };
            Verifier::new(&[credential(&text)]).unwrap().verify(&delivery, now)
        };
        prop_assert_eq!(check(&signature, &body, &time, &id, method, &urls, now, key), Ok(()));
        let flip = |bytes: &mut Vec<u8>| {
            let place = case.place % bytes.len();
            bytes[place] ^= 1 << case.bit;
        };
        let mut covered = true;
        match case.change {
            Change::Body => flip(&mut body),
            Change::BodyShorter => { body.remove(case.place % body.len()); }
            Change::BodyLonger => body.insert(case.place % (body.len() + 1), case.bit + b'0'),
            Change::Signature => flip(&mut signature),
            Change::SignatureCut => signature.truncate(case.place % signature.len()),
            Change::SignatureCase => signature.make_ascii_uppercase(),
            Change::Time => flip(&mut time),
            Change::TimeToBody => body.insert(0, time.pop().unwrap()),
            Change::BodyToTime => time.push(body.remove(0)),
            Change::Id => { covered = case.format.contains("svix"); flip(&mut id); }
            Change::Method => { covered = case.format.contains("method"); method = "PUT"; }
            Change::Url => { covered = case.format.contains("url"); urls = vec!["/x".into()]; }
            Change::Age => now += 600_000,
            Change::Key => key = r#"secret_key = "0123456789abcdef-kez""#,
        }
        // A digest of digits only has no other case.
        covered &= signature != sign(&case).into_bytes() || !matches!(case.change, Change::SignatureCase);
        let verdict = check(&signature, &body, &time, &id, method, &urls, now, key);
        prop_assert!(verdict.is_err() == covered, "{case:?}");
    }
}
