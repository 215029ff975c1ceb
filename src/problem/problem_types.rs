//! The catalogue of problems: every `code` a client can meet, once, with its status and its words.
//! It is served for readers at `/problems` and `/problems/{code}`.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Language, Problem};

/// A kind of problem.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemKind)]
pub struct Kind {
    /// The stable name; never changes.
    #[schema(value_type = String, example = "not_found")]
    pub code: &'static str,
    /// HTTP status code.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// Title in Persian.
    #[schema(value_type = String, example = "یافت نشد")]
    pub title_fa: &'static str,
    /// Title in English.
    #[schema(value_type = String, example = "Not found")]
    pub title_en: &'static str,
    /// Explanation in Persian, with a remedy where there is one.
    #[schema(value_type = String)]
    pub detail_fa: &'static str,
    /// Explanation in English, with a remedy where there is one.
    #[schema(value_type = String)]
    pub detail_en: &'static str,
}

impl Kind {
    /// The title in one language.
    pub fn title(&self, language: Language) -> &'static str {
        match language {
            Language::Persian => self.title_fa,
            Language::English => self.title_en,
        }
    }

    /// The usual detail in one language.
    pub fn detail(&self, language: Language) -> &'static str {
        match language {
            Language::Persian => self.detail_fa,
            Language::English => self.detail_en,
        }
    }
}

macro_rules! catalogue {
    ($($name:ident $status:literal $code:literal: $title_fa:literal, $title_en:literal; $detail_fa:literal, $detail_en:literal.)*) => {
        $(
            #[doc = concat!("`", $code, "` (", stringify!($status), "): ", $detail_en)]
            pub const $name: Kind = Kind {
                code: $code, status: $status,
                title_fa: $title_fa, title_en: $title_en, detail_fa: $detail_fa, detail_en: $detail_en,
            };
        )*
        /// Every kind of problem.
        pub const CATALOGUE: &[Kind] = &[$($name),*];
    };
}

catalogue! {
    MALFORMED_JSON 400 "malformed_json": "JSON نادرست", "Malformed JSON";
        "بدنهٔ درخواست JSON درستی نیست.", "The request body is not well-formed JSON.".
    MALFORMED_FORM 400 "malformed_form": "فرم نادرست", "Malformed form";
        "بدنهٔ درخواست فرم درستی نیست.", "The request body is not a well-formed form.".
    MALFORMED_REQUEST 400 "malformed_request": "درخواست نادرست", "Malformed request";
        "درخواست خوانده نشد.", "The request could not be read.".
    INVALID_PARAMETER 400 "invalid_parameter": "پارامتر نامعتبر", "Invalid parameter";
        "یک یا چند پارامتر درخواست پذیرفته نیست؛ errors را ببینید.", "One or more parameters are not acceptable; see errors.".
    INVALID_CURSOR 400 "invalid_cursor": "نشانگر صفحهٔ نامعتبر", "Invalid cursor";
        "cursor خراب است یا به پرس‌وجوی دیگری تعلق دارد؛ فهرست را از آغاز بخوانید.",
        "The cursor is broken or belongs to another query; read the list from its start.".
    INVALID_GRANT 400 "invalid_grant": "ورود ناموفق", "Invalid grant";
        "نام کاربری، گذرواژه یا توکن نوسازی درست نیست.", "The user name, password or refresh token is not right.".
    INVALID_TOKEN_REQUEST 400 "invalid_token_request": "درخواست توکن نادرست", "Invalid token request";
        "درخواست توکن با RFC 6749 نمی‌خواند.", "The token request does not follow RFC 6749.".
    UNAUTHENTICATED 401 "unauthenticated": "ورود لازم است", "Authentication required";
        "یک توکن دسترسی معتبر در سرآیند Authorization بفرستید.", "Send a valid access token in the Authorization header.".
    INVALID_CLIENT 401 "invalid_client": "سامانهٔ ناشناس", "Invalid client";
        "شناسه یا رمز سامانه درست نیست.", "The client id or secret is not right.".
    FORBIDDEN 403 "forbidden": "اجازه ندارید", "Forbidden";
        "نقش شما اجازهٔ این کار را ندارد.", "Your role does not allow this.".
    OUTSIDE_SCOPE 403 "outside_scope": "بیرون از حوزهٔ شما", "Outside your scope";
        "این استان بیرون از حوزهٔ شماست.", "This province lies outside your scope.".
    NOT_ASSIGNED 403 "not_assigned": "پروژه به شما سپرده نشده است", "Not assigned to you";
        "عامل توسعه و ناظر تنها در پروژه‌هایی می‌نویسند که امروز به آنان سپرده شده است.",
        "CDAs and supervisors write in the projects that are assigned to them today.".
    PASSWORD_CHANGE_REQUIRED 403 "password_change_required": "تغییر گذرواژه الزامی است", "The password has to be changed";
        "گذرواژهٔ این حساب را شخص دیگری تعیین کرده است. نخست گذرواژه را تغییر دهید و سپس دوباره وارد شوید.",
        "Somebody else has set the password of this account: change it first (POST /api/v1/auth/password), then log in again.".
    NOT_FOUND 404 "not_found": "یافت نشد", "Not found";
        "چیزی در این نشانی نیست، یا بیرون از حوزهٔ دید شماست.", "Nothing is here, or it lies outside what you may see.".
    METHOD_NOT_ALLOWED 405 "method_not_allowed": "روش نامجاز", "Method not allowed";
        "این نشانی چنین روشی را نمی‌پذیرد؛ سرآیند Allow را ببینید.", "This address does not accept the method; see the Allow header.".
    NOT_ACCEPTABLE 406 "not_acceptable": "قالب پاسخ ناممکن", "Not acceptable";
        "این نشانی به قالبی که Accept می‌خواهد پاسخ نمی‌دهد.", "This address does not answer in a format that Accept asks for.".
    REQUEST_TIMEOUT 408 "request_timeout": "درخواست کند", "Request timeout";
        "بدنهٔ درخواست به‌هنگام نرسید.", "The request body did not arrive in time.".
    DUPLICATE 409 "duplicate": "تکراری", "Duplicate";
        "چنین رکوردی از پیش هست.", "Such a record exists already.".
    LEAD_ASSIGNED 409 "lead_assigned": "پروژه عامل اصلی دارد", "There is a lead CDA";
        "در این مدت عامل توسعهٔ اصلی دیگری در پروژه هست؛ نخست انتصاب او را پایان دهید.",
        "In that time the project has another lead CDA; end that assignment first.".
    CDA_NOT_CERTIFIED 409 "cda_not_certified": "عامل توسعه گواهی ندارد", "The CDA is not certified";
        "راهبر پروژه باید در همهٔ مدت انتصاب گواهی معتبر داشته باشد.",
        "Who leads a project is certified for the whole assignment.".
    NOT_INDEPENDENT 409 "not_independent": "ناظر و عامل توسعه یکی است", "Not independent";
        "عامل توسعه و ناظر یک پروژه باید دو نفر باشند.", "The CDA and the supervisor of a project have to be two persons.".
    BUDGET_EXCEEDED 409 "budget_exceeded": "بیش از بودجهٔ مصوب", "Beyond the approved budget";
        "پرداخت‌های پروژه در هر ردیف از مبلغ مصوب آن ردیف بیشتر نمی‌شود؛ errors را ببینید.",
        "What is paid on a budget line never exceeds its approved amount; see errors.".
    STILL_REFERRED_TO 409 "still_referred_to": "هنوز در کار است", "Still referred to";
        "رکوردهای زنده‌ای به این رکورد وابسته‌اند؛ referred_by را ببینید و نخست آن‌ها را بردارید.",
        "Live records refer to this one; see referred_by, and remove those first.".
    MOVED_AWAY 409 "moved_away": "جابه‌جایی ناممکن", "It cannot move";
        "رکوردهایی که به این رکورد وابسته‌اند یا بوده‌اند در این استان‌اند؛ این رکورد نمی‌تواند به استان دیگری برود.",
        "Records that depend on it, or did, lie in this province: it cannot go to another one.".
    TRANSITION_NOT_ALLOWED 409 "transition_not_allowed": "گذار نامجاز", "Transition not allowed";
        "از وضعیت کنونی نمی‌توان به وضعیت خواسته رفت؛ allowed_transitions را ببینید.",
        "The state asked for cannot follow the present one; see allowed_transitions.".
    PLAN_FROZEN 409 "plan_frozen": "برنامه در خط مبنا تثبیت شده است", "The plan is frozen";
        "وزن و تاریخ‌های نقاط عطف پس از ثبت خط مبنا تنها با خط مبنای تازه‌ای تغییر می‌کند؛ errors را ببینید.",
        "Once a baseline is frozen, the weights and days of milestones change by a new baseline only; see errors.".
    PROJECT_NOT_OPEN 409 "project_not_open": "وضعیت پروژه اجازه نمی‌دهد", "The project's state does not allow it";
        "در وضعیت کنونی پروژه این کار ممکن نیست.", "In the present state of the project this is not possible.".
    REPORT_LOCKED 409 "report_locked": "گزارش قفل است", "The report is locked";
        "گزارش پیشرفت تنها پیش از ارسال یا پس از برگشت تغییر می‌کند، و تنها تا زمانی که پیش‌نویس است حذف می‌شود.",
        "A progress report changes only before it is submitted or after it is returned, and is deleted only while it is a draft.".
    PERIOD_LOCKED 409 "period_locked": "دوره قفل است", "The period is locked";
        "گزارش پیشرفت این فصل در سطح ملی پذیرفته شده است؛ مقدارهای واقعی آن نه ثبت می‌شود، نه تغییر می‌کند و نه حذف می‌شود.",
        "The progress report of this quarter is accepted nationally: its actual values are neither recorded nor changed nor deleted.".
    REQUIREMENTS_MISSING 409 "requirements_missing": "پیش‌نیازها فراهم نیست", "Requirements are missing";
        "این تغییر وضعیت هنوز ممکن نیست؛ missing همهٔ کمبودها را نام می‌برد.",
        "This change of state is not possible yet; missing names everything that it lacks.".
    TOO_MANY_WEBHOOKS 409 "too_many_webhooks": "سقف تعداد وب‌هوک‌ها", "Too many webhooks";
        "هر استان، و نیز سطح ملی، حداکثر ۱۰۰ وب‌هوک دارد؛ نخست یکی از آن‌ها را حذف کنید.",
        "A province, and the nation, has 100 webhooks at the most; delete one of them first.".
    TOO_MUCH_AT_ONCE 409 "too_much_at_once": "بیش از توان یک تراکنش", "Too much at once";
        "این کار برای یک تراکنش بیش از اندازه است؛ آن را تقسیم کنید.", "This is too much for one transaction: divide it.".
    TOO_MANY_FAILED_ROWS 422 "too_many_failed_rows": "سطرهای نادرست بیش از اندازه", "Too many failed rows";
        "بیش از ۱۰٬۰۰۰ سطر پرونده پذیرفته نشد؛ ادامهٔ ورود گروهی رها شد. سطرهای پذیرفته‌شده مانده‌اند.",
        "More than 10,000 rows of the file have failed: the rest is given up. The rows that were accepted stay.".
    REQUEST_IN_PROGRESS 409 "request_in_progress": "درخواست در دست انجام", "Request in progress";
        "درخواستی با همین Idempotency-Key هنوز در دست انجام است.", "A request with this Idempotency-Key is still running.".
    RESYNC_REQUIRED 410 "resync_required": "همگام‌سازی دوباره لازم است", "Resynchronisation required";
        "این نشانگر دیگر به جایی نمی‌رسد؛ آنچه دارید کنار بگذارید و با snapshot=true از نو بخوانید.",
        "The cursor leads nowhere any more; drop what you hold and begin again with snapshot=true.".
    STALE_VERSION 412 "stale_version": "نسخهٔ کهنه", "Stale version";
        "رکورد در این میان تغییر کرده است؛ آن را دوباره بخوانید و تغییر خود را بر نسخهٔ تازه بنشانید.",
        "The record has changed meanwhile; read it again and apply your change to the new version.".
    PAYLOAD_TOO_LARGE 413 "payload_too_large": "بدنهٔ بیش از اندازه", "Payload too large";
        "بدنهٔ درخواست از اندازهٔ مجاز بزرگ‌تر است.", "The request body is larger than allowed.".
    URI_TOO_LONG 414 "uri_too_long": "نشانی بیش از اندازه بلند", "URI too long";
        "نشانی درخواست از اندازهٔ مجاز بلندتر است.", "The address of the request is longer than allowed.".
    UNSUPPORTED_MEDIA_TYPE 415 "unsupported_media_type": "نوع محتوای ناپذیرفته", "Unsupported media type";
        "Content-Type این درخواست پذیرفته نیست.", "The Content-Type of the request is not accepted.".
    VALIDATION_FAILED 422 "validation_failed": "دادهٔ نامعتبر", "Validation failed";
        "یک یا چند مقدار پذیرفته نیست؛ errors را ببینید.", "One or more values are not acceptable; see errors.".
    IDEMPOTENCY_KEY_REUSED 422 "idempotency_key_reused": "کلید تکرار با بدنهٔ دیگر", "Idempotency key reused";
        "این Idempotency-Key پیش‌تر با درخواست دیگری آمده است.", "This Idempotency-Key came with another request before.".
    PRECONDITION_REQUIRED 428 "precondition_required": "If-Match لازم است", "Precondition required";
        "برای تغییر رکورد، ETag آن را در If-Match بفرستید.", "To change a record, send its ETag in If-Match.".
    TOO_MANY_REQUESTS 429 "too_many_requests": "درخواست بیش از اندازه", "Too many requests";
        "کمی بعد دوباره بکوشید؛ سرآیند Retry-After را ببینید.", "Try again a little later; see the Retry-After header.".
    TOO_MANY_LONG_READS 429 "too_many_long_reads": "گزارش هم‌زمان بیش از اندازه", "Too many reports at once";
        "هر حساب هم‌زمان دو گزارش یا بازنگری گذشته می‌گیرد و چهار درخواست دیگرِ آن در نوبت می‌ماند؛ پس از مدت Retry-After دوباره بکوشید.",
        "Of each account two reports or looks back run at a time, and four more wait for their turn; try again after the time in Retry-After.".
    TOO_MANY_FAILED_LOGINS 429 "too_many_failed_logins": "ورود ناموفق بیش از اندازه", "Too many failed logins";
        "پس از چند ورود ناموفق، ورود برای مدتی بسته است؛ سرآیند Retry-After را ببینید.",
        "After several failures, logging in is closed for a while; see the Retry-After header.".
    HEADERS_TOO_LARGE 431 "headers_too_large": "سرآیندهای بیش از اندازه", "Headers too large";
        "سرآیندهای درخواست از اندازهٔ مجاز بزرگ‌ترند.", "The headers of the request are larger than allowed.".
    INTERNAL_ERROR 500 "internal_error": "خطای درونی", "Internal error";
        "خطایی در سامانه رخ داد؛ request_id را به پشتیبانی بدهید.", "Something failed on our side; give the request_id to the support.".
    FILE_DAMAGED 500 "file_damaged": "پروندهٔ پیوست آسیب دیده است", "The file is damaged";
        "پروندهٔ ذخیره‌شدهٔ این پیوست موجود نیست یا با آنچه ثبت شده است مطابقت ندارد و ارسال نشد؛ request_id را به پشتیبانی اعلام کنید.",
        "The stored file of this attachment is missing or is not the one that was recorded, and was not sent; give the request_id to the support.".
    KEPT_ANSWER_DAMAGED 500 "kept_answer_damaged": "پاسخ نگهداری‌شده آسیب دیده است", "The kept answer is damaged";
        "این درخواست پیش‌تر با همین Idempotency-Key انجام شده، اما پاسخ نگهداری‌شدهٔ آن آسیب دیده است و ارسال نشد؛ پیش از تکرار درخواست، رکورد را بخوانید.",
        "The request was done before with this Idempotency-Key, but the answer kept of it is damaged and was not sent; read the record before you repeat the request.".
    UNAVAILABLE 503 "unavailable": "موقتاً در دسترس نیست", "Temporarily unavailable";
        "پایگاه داده موقتاً در دسترس نیست؛ کمی بعد دوباره بکوشید.", "The database is away for a moment; try again a little later.".
    TIMED_OUT 503 "timed_out": "پاسخ دیر شد", "Timed out";
        "پاسخ به‌هنگام آماده نشد؛ کمی بعد دوباره بکوشید.", "The answer was not ready in time; try again a little later.".
}

/// The kind for a status code that a library gave without saying more.
pub fn of_status(status: u16) -> &'static Kind {
    match status {
        401 => &UNAUTHENTICATED,
        403 => &FORBIDDEN,
        404 => &NOT_FOUND,
        405 => &METHOD_NOT_ALLOWED,
        406 => &NOT_ACCEPTABLE,
        408 => &REQUEST_TIMEOUT,
        413 => &PAYLOAD_TOO_LARGE,
        414 => &URI_TOO_LONG,
        415 => &UNSUPPORTED_MEDIA_TYPE,
        431 => &HEADERS_TOO_LARGE,
        400..=499 => &MALFORMED_REQUEST,
        503 => &UNAVAILABLE,
        _ => &INTERNAL_ERROR,
    }
}

/// The error catalogue
///
/// Every `code` that a problem can carry, with its status and its words in both languages.
#[utoipa::path(responses((status = 200, body = Vec<Kind>, description = "All kinds of problems")), security(()))]
#[get("/problems")]
pub async fn list_problem_kinds() -> HttpResponse {
    HttpResponse::Ok().json(CATALOGUE)
}

/// One entry of the error catalogue
///
/// The address that the `type` of a problem names.
#[utoipa::path(params(("code" = String, Path, example = "not_found", description = "The code of the problem", max_length = 64)),
    responses((status = 200, body = Kind, description = "The kind of problem")), security(()))]
#[get("/problems/{code}")]
pub async fn get_problem_kind(code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let kind = CATALOGUE.iter().find(|kind| kind.code == *code).ok_or_else(|| Problem::new(&NOT_FOUND))?;
    Ok(HttpResponse::Ok().json(kind))
}
