//! The call without accounts, as a newcomer runs it.

use examples::{conversation::Language, inbound::demo};

async fn check(language: Language) {
    let report = Box::pin(demo::run(language)).await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new(), "{report}");
    let voices = [report.telephone.recording.caller(), report.telephone.recording.agent()];
    assert!(voices.iter().all(|voice| voice.len() > 8 * 20_000), "both voices are on the recording");
    let told = report.to_string();
    assert!(told.contains("fell silent") && told.contains("calls free_slots"), "{told}");
}

/// Both at once, as each takes its time.
#[tokio::test]
async fn the_call_goes_as_scripted_in_english_and_japanese() {
    tokio::join!(check(Language::English), check(Language::Japanese));
}
