use super::*;

const MS: Duration = Duration::from_millis(1);

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Asks for something, as request `id`.
fn ask(sequencer: &mut Sequencer, now: Instant, id: u64) -> Option<Ask> {
    sequencer.ask(now, RequestId(id))
}

fn occupied(request: Option<u64>) -> ProviderError {
    let mut error = ProviderError::new("invalid_request_error", "conversation_already_has_active_response", "one runs");
    error.request = request.map(RequestId);
    error
}

#[test]
fn one_answer_is_asked_for_at_a_time() {
    let (mut sequencer, t0) = (Sequencer::default(), now());
    assert!(ask(&mut sequencer, t0, 0).is_none());
    sequencer.want(Wish::about(Purpose::Say, NewItem::System("one".into())).without_tools());
    sequencer.want(Wish::about(Purpose::ToolResults, NewItem::System("two".into())));
    let asked = ask(&mut sequencer, t0, 0).unwrap();
    assert_eq!((asked.items.len(), asked.options.without_tools), (2, false), "what one wants must not harm the other");
    sequencer.want(Wish::new(Purpose::Say));
    assert!(ask(&mut sequencer, t0, 1).is_none() && sequencer.is_owed());
    assert_eq!(sequencer.began(&"a".into(), Some(RequestId(0))), Began::Wanted);
    assert!(ask(&mut sequencer, t0, 1).is_none());
    assert!(sequencer.ended(&"b".into()).wish.is_none(), "another answer");
    assert!(sequencer.ended(&"a".into()).wish.unwrap().is_for(Purpose::ToolResults));
    assert!(ask(&mut sequencer, t0, 1).is_some() && sequencer.is_busy());
}

#[test]
fn an_answer_that_the_model_begins_serves_what_has_nothing_to_add() {
    let mut sequencer = Sequencer::default();
    for (purpose, served) in
        [(Purpose::Turn, true), (Purpose::ToolResults, true), (Purpose::Keys, true), (Purpose::Goodbye, false)]
    {
        sequencer.want(Wish::new(purpose));
        sequencer.began(&"a".into(), None);
        assert_eq!(sequencer.has(purpose), !served, "{purpose:?}");
        assert!(sequencer.ended(&"a".into()).wish.is_none());
        sequencer.forget(purpose);
    }
}

#[test]
fn a_refusal_is_matched_by_the_request_or_by_what_it_says() {
    let other = ProviderError::new("invalid_request_error", "odd", "no");
    for (error, again) in [
        (occupied(Some(7)), true),
        (occupied(None), true),
        (occupied(Some(8)), false),
        (other.clone(), false),
        (other.with_request(RequestId(7)), false),
    ] {
        let (mut sequencer, t0) = (Sequencer::default(), now());
        sequencer.want(Wish::new(Purpose::Turn));
        ask(&mut sequencer, t0, 7).unwrap();
        if sequencer.is_refused(&error, false) {
            sequencer.refused(t0, &error, None);
        }
        assert!(!sequencer.may_ask(t0));
        assert_eq!(sequencer.may_ask(t0 + REFUSED_PAUSE), again, "{error:?}");
    }
}

#[test]
fn a_request_that_is_refused_again_and_again_is_dropped() {
    let (mut sequencer, mut time) = (Sequencer::default(), now());
    sequencer.want(Wish::new(Purpose::Turn));
    let mut asked = 0;
    while sequencer.is_busy() {
        asked += 1;
        ask(&mut sequencer, time, asked).unwrap();
        sequencer.refused(time, &occupied(Some(asked)), None);
        time += REFUSED_PAUSE;
    }
    assert_eq!(asked, u64::from(REFUSALS_LIMIT) + 1);
}

#[test]
fn an_interruption_drops_what_is_not_worth_saying_any_more() {
    let (mut sequencer, t0) = (Sequencer::default(), now());
    sequencer.want(Wish::new(Purpose::Greeting));
    ask(&mut sequencer, t0, 0).unwrap();
    sequencer.want(Wish::new(Purpose::Nudge));
    sequencer.want(Wish::new(Purpose::ToolResults));
    assert!(sequencer.interrupt().is_none(), "what has not begun has no name to stop it by");
    assert!(!sequencer.has(Purpose::Nudge) && sequencer.has(Purpose::ToolResults));
    assert_eq!(sequencer.began(&"a".into(), Some(RequestId(0))), Began::Unwanted);
    assert!(sequencer.interrupt().is_none(), "it is stopped already");
    sequencer.ended(&"a".into());
    assert_eq!(sequencer.began(&"b".into(), None), Began::Wanted);
    assert_eq!(sequencer.interrupt(), Some("b".into()));
    assert_eq!(sequencer.interrupt(), None, "once");
}

#[test]
fn what_was_asked_is_given_up_in_time_unless_nobody_wants_it() {
    for wanted in [true, false] {
        let (mut sequencer, t0) = (Sequencer::default(), now());
        sequencer.want(Wish::new(Purpose::Greeting));
        ask(&mut sequencer, t0, 0).unwrap();
        if !wanted {
            sequencer.interrupt();
        }
        assert_eq!(sequencer.timeout(t0), Some(t0 + REQUEST_LIMIT));
        assert!(sequencer.give_up(t0 + REQUEST_LIMIT - MS).is_none() && sequencer.is_busy());
        let wish = sequencer.give_up(t0 + REQUEST_LIMIT);
        assert_eq!((wish.is_some(), sequencer.is_busy()), (wanted, false));
    }
}

#[test]
fn a_wish_is_tried_twice() {
    let (mut sequencer, t0) = (Sequencer::default(), now());
    assert!(sequencer.retry(Some(Wish::new(Purpose::Goodbye)), t0 + 500 * MS));
    sequencer.want(Wish::new(Purpose::Say));
    assert!(!sequencer.may_ask(t0));
    assert_eq!(sequencer.timeout(t0), Some(t0 + 500 * MS));
    ask(&mut sequencer, t0 + 500 * MS, 0).unwrap();
    sequencer.began(&"a".into(), Some(RequestId(0)));
    let wish = sequencer.ended(&"a".into()).wish;
    assert!(wish.as_ref().is_some_and(|wish| wish.is_for(Purpose::Goodbye) && wish.is_for(Purpose::Say)));
    assert!(!sequencer.retry(wish, t0));
}

#[test]
fn words_to_be_said_exactly_have_an_answer_of_their_own() {
    let (mut sequencer, t0) = (Sequencer::default(), now());
    let exactly = |purpose, words: &str| Wish::about(purpose, NewItem::System(words.into())).apart();
    sequencer.want(exactly(Purpose::Say, "one"));
    sequencer.want(exactly(Purpose::Say, "two"));
    sequencer.want(exactly(Purpose::Goodbye, "bye"));
    sequencer.want(Wish::new(Purpose::Turn));
    sequencer.forget(Purpose::Goodbye);
    let mut told = Vec::new();
    for id in 0..3 {
        told.push(ask(&mut sequencer, t0, id).unwrap().items);
        sequencer.began(&"a".into(), Some(RequestId(id)));
        sequencer.ended(&"a".into());
    }
    let words = |words: &str| vec![NewItem::System(words.into())];
    assert_eq!(told, [vec![], words("one"), words("two")], "who has asked something is answered first");
    assert!(!sequencer.is_busy());
}

#[test]
fn words_to_be_said_exactly_answer_nobody() {
    let (mut sequencer, t0) = (Sequencer::default(), now());
    sequencer.want(Wish::about(Purpose::Say, NewItem::System("one".into())).apart());
    ask(&mut sequencer, t0, 0).unwrap();
    sequencer.want(Wish::new(Purpose::Turn));
    sequencer.began(&"a".into(), Some(RequestId(0)));
    assert!(sequencer.waits(Purpose::Turn));
}

#[test]
fn a_result_is_answered_only_by_an_answer_that_knows_it() {
    for (confirmed, unwanted) in [(false, false), (true, false), (true, true)] {
        let (mut sequencer, t0) = (Sequencer::default(), now());
        if unwanted {
            sequencer.want(Wish::new(Purpose::Nudge));
            ask(&mut sequencer, t0, 0).unwrap();
            sequencer.interrupt();
        }
        sequencer.result_told();
        sequencer.want(Wish::new(Purpose::ToolResults));
        if confirmed {
            sequencer.result_known();
        }
        sequencer.began(&"a".into(), unwanted.then_some(RequestId(0)));
        assert_eq!(sequencer.waits(Purpose::ToolResults), !confirmed || unwanted);
    }
}
