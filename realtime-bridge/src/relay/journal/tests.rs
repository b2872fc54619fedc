use super::*;

const MS: Duration = Duration::from_millis(1);

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn journal(options: Vec<(&str, ToolOptions)>) -> Journal {
    let mut journal = Journal::default();
    journal.know(options.into_iter().map(|(name, options)| (name.to_owned(), options)).collect());
    journal
}

/// The calls of an answer, as (id, tool).
fn begin(journal: &mut Journal, now: Instant, response: &str, calls: &[(&str, &str)]) -> (usize, usize) {
    let calls = calls.iter().map(|(id, name)| ToolCall::new(*id, "item", *name, "{}")).collect();
    let known = (&ConversationMemory::default(), &Prompts::default());
    let begun = journal.begin(now, &response.into(), false, calls, known);
    let started = begun.iter().filter(|begun| matches!(begun, Begun::Started(_))).count();
    (started, begun.len() - started)
}

/// What follows when this run ends well; `None` when the run is not awaited.
fn done(journal: &mut Journal, now: Instant, id: &str, outcome: ToolOutcome) -> Option<Option<AfterTool>> {
    let (_, group) = journal.finish(now, &id.into(), outcome, "{}")?;
    Some(group.map(|group| group.after))
}

#[test]
fn a_call_runs_once_and_its_result_counts_once() {
    let (mut journal, t0) = (journal(vec![("a", ToolOptions::default())]), now());
    assert_eq!(begin(&mut journal, t0, "r1", &[("1", "a"), ("1", "a"), ("2", "b")]), (1, 1));
    assert_eq!(begin(&mut journal, t0, "r2", &[("1", "a")]), (0, 0));
    assert!(matches!(journal.poll(), Some(ToolAction::Start(call)) if call.id == "1".into()));
    assert_eq!(journal.poll(), None);
    assert_eq!(done(&mut journal, t0, "2", ToolOutcome::Unknown), Some(None), "the other still runs");
    assert!(journal.is_running());
    assert_eq!(done(&mut journal, t0 + 5 * MS, "1", ToolOutcome::Done), Some(Some(AfterTool::Speak)));
    assert_eq!(done(&mut journal, t0, "1", ToolOutcome::Done), None);
    assert_eq!(done(&mut journal, t0, "3", ToolOutcome::Done), None, "nobody has asked for it");
    assert_eq!(journal.runs()[0].took, 5 * MS);
}

#[test]
fn ending_outweighs_speaking_and_speaking_outweighs_silence() {
    let after = |after| ToolOptions::default().with_after(after);
    let tools = || {
        vec![
            ("speak", after(AfterTool::Speak)),
            ("silent", after(AfterTool::Silent)),
            ("end", after(AfterTool::EndCall)),
        ]
    };
    let cases = [
        (&["silent", "silent"][..], ToolOutcome::Done, AfterTool::Silent),
        (&["silent", "speak"], ToolOutcome::Done, AfterTool::Speak),
        (&["speak", "end", "silent"], ToolOutcome::Done, AfterTool::EndCall),
        (&["silent"], ToolOutcome::Failed, AfterTool::Speak),
        (&["end"], ToolOutcome::TimedOut, AfterTool::Speak),
    ];
    for (names, outcome, expected) in cases {
        for caller_spoke in [false, true] {
            let (mut journal, t0) = (journal(tools()), now());
            let ids: Vec<_> = (0..names.len()).map(|id| id.to_string()).collect();
            let calls: Vec<_> = ids.iter().map(String::as_str).zip(names.iter().copied()).collect();
            begin(&mut journal, t0, "r", &calls);
            if caller_spoke {
                journal.call_off_end();
            }
            let results: Vec<_> = ids.iter().filter_map(|id| done(&mut journal, t0, id, outcome)).collect();
            let expected = if caller_spoke && expected == AfterTool::EndCall { AfterTool::Speak } else { expected };
            assert_eq!(results.last(), Some(&Some(expected)), "{names:?} {outcome:?}");
        }
    }
}

#[test]
fn what_takes_too_long_is_aborted_and_its_late_result_not_wanted() {
    let limit = ToolOptions::default().with_limit(100 * MS);
    let (mut journal, t0) = (journal(vec![("a", limit)]), now());
    begin(&mut journal, t0, "r", &[("1", "a")]);
    journal.poll();
    assert_eq!(journal.timeout(), Some(t0 + 100 * MS));
    assert_eq!(journal.expired(t0 + 99 * MS), []);
    assert_eq!(journal.expired(t0 + 100 * MS), ["1".into()]);
    assert_eq!(journal.poll(), Some(ToolAction::Abort("1".into())));
    assert_eq!(journal.runs()[0].outcome, Some(ToolOutcome::Abandoned), "as long as nobody says more");
    assert!(done(&mut journal, t0, "1", ToolOutcome::TimedOut).is_some());
    assert_eq!(done(&mut journal, t0, "1", ToolOutcome::Done), None);
    assert_eq!((journal.timeout(), journal.is_running()), (None, false));
    assert_eq!(journal.runs()[0].outcome, Some(ToolOutcome::TimedOut));
}

#[test]
fn a_filler_waits_for_a_silence_of_its_length_and_comes_once() {
    let filler = Filler::HoldTone { after: 100 * MS };
    let (mut journal, t0) = (journal(vec![("a", ToolOptions::default().with_filler(filler.clone()))]), now());
    begin(&mut journal, t0, "r", &[("1", "a"), ("2", "a")]);
    assert_eq!(journal.filler(t0 + 99 * MS, true), None);
    assert_eq!(journal.filler(t0 + 100 * MS, false), None);
    assert_eq!(journal.timeout(), Some(t0 + 200 * MS), "somebody spoke");
    assert_eq!(journal.filler(t0 + 199 * MS, true), None);
    assert!(!journal.wants_hold_tone());
    assert_eq!(journal.filler(t0 + 200 * MS, true), Some(filler.clone()));
    assert_eq!(journal.filler(t0 + 200 * MS, true), Some(filler), "each run has its own");
    assert_eq!(journal.filler(t0 + 900 * MS, true), None);
    assert!(journal.wants_hold_tone());
    done(&mut journal, t0, "1", ToolOutcome::Done);
    done(&mut journal, t0, "2", ToolOutcome::Done);
    assert!(!journal.wants_hold_tone());
}
