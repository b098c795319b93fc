BEGIN TRANSACTION;
CREATE TABLE alerts (
	account TEXT NOT NULL, 
	"trigger" TEXT NOT NULL, 
	status TEXT NOT NULL, 
	opened_on DATE NOT NULL, 
	severity TEXT NOT NULL, 
	closed_on DATE, 
	silent BOOLEAN NOT NULL, 
	out_since DATE, 
	PRIMARY KEY (account, "trigger")
);
INSERT INTO "alerts" VALUES('a1','inactivity','open','2026-01-05','at_risk',NULL,0,NULL);
INSERT INTO "alerts" VALUES('a2','inactivity','open','2026-01-05','at_risk',NULL,0,NULL);
INSERT INTO "alerts" VALUES('a3','inactivity','pending','2026-01-05','at_risk',NULL,0,NULL);
CREATE TABLE forestall_schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "forestall_schema" VALUES(1);
CREATE TABLE known_triggers (
	"trigger" TEXT NOT NULL, 
	since DATE NOT NULL, 
	PRIMARY KEY ("trigger")
);
INSERT INTO "known_triggers" VALUES('errors','2026-01-05');
INSERT INTO "known_triggers" VALUES('inactivity','2026-01-05');
CREATE TABLE outbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"key" TEXT NOT NULL, 
	account TEXT NOT NULL, 
	play TEXT NOT NULL, 
	"group" TEXT NOT NULL, 
	occurrence DATE NOT NULL, 
	day DATE NOT NULL, 
	step TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	recipient TEXT NOT NULL, 
	template TEXT NOT NULL, 
	to_customer BOOLEAN NOT NULL, 
	severity TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	sender_address TEXT NOT NULL, 
	person TEXT NOT NULL, 
	started_by TEXT NOT NULL, 
	message TEXT NOT NULL, 
	destination TEXT NOT NULL, 
	status TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_attempt DATETIME, 
	claimed_until DATETIME, 
	claimed_by TEXT NOT NULL, 
	withdrawn BOOLEAN NOT NULL, 
	detail TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	sent_at DATETIME, 
	UNIQUE ("key")
);
INSERT INTO "outbox" VALUES(1,'key-1','a1','re_engage','inactivity','2026-01-05','2026-01-05','mail','email','email','ann@customer1.example','re_engage',1,'at_risk','Dana','dana@example.com','dana','data','{"key": "key-1", "kind": "email", "to": "ann@customer1.example", "subject": "Subject", "text": "Text ü", "html": "<p>", "body": "{\"a\": 1}", "sender": "Dana", "reply_to": "dana@example.com", "thread": "thread", "sent_on": "2026-01-05", "label": ""}','email customer1.example','queued',0,NULL,NULL,'',0,'','',NULL);
INSERT INTO "outbox" VALUES(2,'key-2','a2','re_engage','inactivity','2026-01-05','2026-01-05','mail','slack','slack','U1','re_engage',0,'at_risk','Dana','dana@example.com','dana','data','{"key": "key-2", "kind": "slack", "to": "U1", "subject": "Subject", "text": "Text ü", "html": "<p>", "body": "{\"a\": 1}", "sender": "Dana", "reply_to": "dana@example.com", "thread": "thread", "sent_on": "2026-01-05", "label": ""}','slack U1','queued',0,NULL,NULL,'',0,'','',NULL);
CREATE TABLE passes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	day DATE NOT NULL, 
	ran_at DATETIME NOT NULL, 
	digest TEXT NOT NULL, 
	scoring_digest TEXT NOT NULL
);
INSERT INTO "passes" VALUES(1,'2026-01-05','2026-01-05 06:00:00.000000','digest','scoring');
CREATE TABLE runs (
	account TEXT NOT NULL, 
	play TEXT NOT NULL, 
	"group" TEXT NOT NULL, 
	occurrence DATE NOT NULL, 
	severity TEXT NOT NULL, 
	status TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	next_on DATE, 
	since DATE, 
	reason TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	until DATE, 
	met_on DATE, 
	PRIMARY KEY (account, play, "group", occurrence)
);
INSERT INTO "runs" VALUES('a1','re_engage','inactivity','2026-01-05','at_risk','running','d',1,'2026-01-05',NULL,'','watching','2026-01-19',NULL);
INSERT INTO "runs" VALUES('a2','re_engage','inactivity','2026-01-05','at_risk','held_out','d',1,'2026-01-05',NULL,'','watching','2026-01-19',NULL);
CREATE TABLE silences (
	account TEXT NOT NULL, 
	play TEXT NOT NULL, 
	"group" TEXT NOT NULL, 
	occurrence DATE NOT NULL, 
	step TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	first_day DATE NOT NULL, 
	last_day DATE NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (account, play, "group", occurrence, step, reason)
);
INSERT INTO "silences" VALUES('a3','re_engage','inactivity','2026-01-05','mail','cap','2026-01-05','2026-01-05','one a week');
CREATE TABLE tiers (
	account TEXT NOT NULL, 
	tier TEXT NOT NULL, 
	decided_on DATE NOT NULL, 
	PRIMARY KEY (account)
);
INSERT INTO "tiers" VALUES('a1','at_risk','2026-01-05');
INSERT INTO "tiers" VALUES('a2','healthy','2026-01-05');
CREATE TABLE transitions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	day DATE NOT NULL, 
	kind TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	account TEXT NOT NULL, 
	"trigger" TEXT NOT NULL, 
	status TEXT NOT NULL, 
	opened_on DATE NOT NULL, 
	severity TEXT NOT NULL, 
	closed_on DATE, 
	silent BOOLEAN NOT NULL, 
	out_since DATE, 
	UNIQUE (account, "trigger", day, kind, opened_on)
);
INSERT INTO "transitions" VALUES(1,'2026-01-05','opened','digest','a1','inactivity','open','2026-01-05','at_risk',NULL,0,NULL);
INSERT INTO "transitions" VALUES(2,'2026-01-05','opened','digest','a2','inactivity','open','2026-01-05','at_risk',NULL,0,NULL);
CREATE INDEX silences_by_day ON silences (last_day);
CREATE INDEX outbox_by_run ON outbox (account, play, occurrence);
CREATE INDEX outbox_by_status ON outbox (status, next_attempt);
CREATE INDEX outbox_by_day ON outbox (day);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('transitions',2);
INSERT INTO "sqlite_sequence" VALUES('outbox',2);
INSERT INTO "sqlite_sequence" VALUES('passes',1);
COMMIT;
