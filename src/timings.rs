//! Every wait there is, in one value. Nothing waits by a number of its own.

use std::time::Duration;

/// Every wait of the program, so that tests need not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    pub connect: Duration,
    /// One request with its answer, the body included.
    pub total: Duration,
    /// The first backoff; each further one doubles it.
    pub backoff: Duration,
    pub longest_backoff: Duration,
    /// A `Retry-After` beyond this is not honoured: nobody is made to wait by a proxy's whim.
    pub longest_retry_after: Duration,
    /// Requests sent at most for one call, the first included.
    pub attempts: u32,
    /// How long a claim on an order holds without being renewed.
    pub lease: Duration,
    /// How often a run renews what it holds, and shows that it lives.
    pub heartbeat: Duration,
    /// Whoever has not renewed its claim for this long sends nothing more, asked once its turn in the budget has
    /// come: shorter than the lease by more than `connect`, so that the last request has left before another may
    /// take the order over. One that strays longer on its way is met by its key and by the looks.
    pub send_within: Duration,
    /// The receiver: how long a client may take for its headers.
    pub header: Duration,
    /// And for a body, and how long a delivery waits for its turn.
    pub body: Duration,
    /// And how long an answer waits for a client that reads none of it.
    pub answer: Duration,
    /// And how long the database may take over a question about health or metrics: less than Prometheus waits (10 s).
    pub look: Duration,
    /// And how long connections have to end once it was asked to stop.
    pub farewell: Duration,
    /// How often it looks for links of paid orders that are still to be closed.
    pub closing_poll: Duration,
    /// The wait after a link was not closed; each further one doubles it.
    pub closing_backoff: Duration,
    /// One ping to a watchdog, with its answer: nobody's run is held up by it for long.
    pub ping: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Timings {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(80),
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(8),
            longest_retry_after: Duration::from_secs(30),
            attempts: 5,
            lease: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            send_within: Duration::from_secs(45),
            header: Duration::from_secs(10),
            body: Duration::from_secs(10),
            answer: Duration::from_secs(5),
            look: Duration::from_secs(5),
            farewell: Duration::from_secs(25),
            closing_poll: Duration::from_secs(5),
            closing_backoff: Duration::from_secs(5),
            ping: Duration::from_secs(5),
        }
    }
}

impl Timings {
    /// For whoever only wants to know whether there is an answer.
    #[must_use]
    pub fn for_a_look(self) -> Self {
        Timings {
            total: Duration::from_secs(20),
            attempts: 2,
            ..self
        }
    }

    /// For a double on this host: there is no network to wait for, and nobody else to spare.
    #[must_use]
    pub fn on_loopback() -> Self {
        Timings {
            backoff: Duration::from_millis(5),
            longest_backoff: Duration::from_millis(40),
            longest_retry_after: Duration::from_secs(1),
            closing_poll: Duration::from_millis(200),
            closing_backoff: Duration::from_millis(200),
            ping: Duration::from_secs(2),
            ..Timings::default()
        }
    }
}
