//! The call without accounts, as a newcomer runs it.

use std::path::Path;

use examples::{conversation::Language, database::Database, handoff, inbound::demo, outbound};

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

/// All at once, as each takes its time.
#[tokio::test]
async fn callers_are_handed_to_people_and_back() {
    let report = Box::pin(handoff::demo::run()).await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new(), "{report}");
    let files = report.save(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("handoff-calls")).unwrap();
    let parties: usize = report.scenarios.iter().map(|scenario| scenario.parties().count()).sum();
    assert_eq!((report.scenarios.len(), files.len()), (6, parties));
    // 16 bits on two channels: a second has 32,000 bytes.
    let short = files.iter().find(|file| file.metadata().unwrap().len() < 32_000);
    assert_eq!(short, None, "{report}");
}

/// Four people are called, and their calls kept here.
async fn check_calls(database: Database) {
    let report = Box::pin(outbound::demo::run(&database)).await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new(), "{report}");
    assert_eq!(report.calls.len(), 4, "{report}");
}

#[tokio::test]
async fn people_are_called_wherever_the_calls_are_kept() {
    let folder = std::env::temp_dir().join(format!("calls-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let file = format!("sqlite:{}", folder.join("calls.db").display());
    let server = throwaway_postgres::Database::create().unwrap();
    // As on the command line.
    let [memory, sqlite, postgres] = ["memory", &file, server.url()].map(|url| url.parse().unwrap());
    tokio::join!(check_calls(memory), check_calls(sqlite), check_calls(postgres));
    std::fs::remove_dir_all(folder).unwrap();
}
