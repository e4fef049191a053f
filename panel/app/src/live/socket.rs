//! The connection over which the browser hears of changes: `/api/v1/events`, on the page's own
//! origin, with the session's cookie.
//!
//! When it breaks it is opened again, later and later. What happened in between is asked for as a
//! whole before events count again, so that nothing that is gone stays on the page.

use super::{Connection, InSight, Live, reconnect_delay_ms};
use crate::actions::read_frame;
use crate::browser;
use hwc_api::v1::{Event, PREFIX};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{MessageEvent, WebSocket};

/// What must stay alive while a socket is open.
struct Open {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut()>,
}

/// The socket of this page. The page has one for as long as it lives.
#[derive(Clone)]
struct Keeper {
    live: Live,
    open: Rc<RefCell<Option<Open>>>,
    /// Attempts since the last one that succeeded.
    attempts: Rc<RefCell<u32>>,
    /// What was told of since the connection is open, until that is everything.
    told: Rc<RefCell<Option<InSight>>>,
}

/// Opens the connection and keeps it open.
pub(super) fn open(live: Live) {
    let keeper = Keeper {
        live,
        open: Rc::default(),
        attempts: Rc::default(),
        told: Rc::default(),
    };
    keeper.connect();
}

impl Keeper {
    fn connect(&self) {
        let Some(address) = address() else { return };
        let Ok(socket) = WebSocket::new(&address) else {
            self.retry_later();
            return;
        };
        let keeper = self.clone();
        let on_open = Closure::<dyn FnMut()>::new(move || keeper.opened());
        let keeper = self.clone();
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            keeper.received(&message);
        });
        let keeper = self.clone();
        let on_close = Closure::<dyn FnMut()>::new(move || {
            keeper.live.connection.set(Connection::Broken);
            keeper.retry_later();
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        // The one before is closed by now; its closures are not running (this is a timer).
        *self.open.borrow_mut() = Some(Open {
            socket,
            _on_open: on_open,
            _on_message: on_message,
            _on_close: on_close,
        });
    }

    fn opened(&self) {
        let was_broken = self.live.connection.get_untracked() == Connection::Broken;
        *self.attempts.borrow_mut() = 0;
        *self.told.borrow_mut() = Some(InSight::default());
        self.live.connection.set(Connection::Open);
        if was_broken {
            let live = self.live;
            spawn_local(async move {
                match read_frame().await {
                    Ok(frame) => live.replace_all(&frame),
                    Err(refusal) if refusal.asks_to_sign_in() => browser::go_to_sign_in(),
                    // The next break or event will tell; what is shown is at worst a little old.
                    Err(_) => {}
                }
            });
        }
    }

    fn received(&self, message: &MessageEvent) {
        let Some(text) = message.data().as_string() else {
            return;
        };
        // An event of a newer version than this page knows is left out, not fatal.
        let Ok(event) = serde_json::from_str::<Event>(&text) else {
            return;
        };
        self.note(&event);
        if !self.live.apply(event) {
            if let Some(open) = self.open.borrow().as_ref() {
                open.socket.set_onclose(None);
            }
            browser::go_to_sign_in();
        }
    }

    /// Once everything was told, what was not is gone.
    fn note(&self, event: &Event) {
        let whole = self.told.borrow_mut().take_if(|told| told.note(event));
        if let Some(told) = whole {
            self.live.keep_only(&told);
        }
    }

    fn retry_later(&self) {
        let attempt = {
            let mut attempts = self.attempts.borrow_mut();
            *attempts = attempts.saturating_add(1);
            *attempts - 1
        };
        let delay = reconnect_delay_ms(attempt, js_sys::Math::random());
        let keeper = self.clone();
        set_timeout(
            move || keeper.connect(),
            Duration::from_millis(delay.into()),
        );
    }
}

/// Where the events are.
fn address() -> Option<String> {
    let location = window().location();
    let scheme = match location.protocol().ok()?.as_str() {
        "https:" => "wss",
        _plain => "ws",
    };
    let host = location.host().ok()?;
    Some(format!("{scheme}://{host}{PREFIX}/events"))
}
