//! Texts of the generated data about projects.

use khoosheh::projects::{phases::PhaseName, pillar::Pillar};

/// Titles of milestones, each with the pillar that it serves.
type Titles = &'static [(&'static str, Option<Pillar>)];

/// The milestones of each phase.
pub const MILESTONES: &[(PhaseName, Titles)] = &[
    (
        PhaseName::Diagnostic,
        &[
            ("مطالعهٔ شناختی خوشه", None),
            ("ترسیم زنجیرهٔ ارزش", Some(Pillar::SupportInstitution)),
            ("نقشهٔ بازیگران خوشه", None),
            ("سنجش پایهٔ شاخص‌ها", None),
            ("تحلیل بازارهای هدف", Some(Pillar::Bds)),
        ],
    ),
    (
        PhaseName::TrustBuilding,
        &[
            ("نشست آشنایی واحدها", Some(Pillar::Networking)),
            ("بازدید از خوشهٔ موفق", Some(Pillar::Networking)),
            ("کارگاه کار گروهی", Some(Pillar::Networking)),
            ("تشکیل گروه راهبری", Some(Pillar::SupportInstitution)),
            ("هم‌اندیشی صنفی", Some(Pillar::Networking)),
            ("میزگرد خریداران", Some(Pillar::Networking)),
            ("خبرنامهٔ خوشه", None),
            ("پایگاه اطلاعات خوشه", Some(Pillar::SupportInstitution)),
        ],
    ),
    (
        PhaseName::ActionPlan,
        &[
            ("چشم‌انداز خوشه", None),
            ("راهبردهای توسعه", None),
            ("برنامهٔ عمل سالانه", None),
            ("تأیید برنامهٔ عمل", Some(Pillar::SupportInstitution)),
            ("تفاهم‌نامهٔ همکاران", Some(Pillar::SupportInstitution)),
        ],
    ),
    (
        PhaseName::Implementation,
        &[
            ("شبکهٔ خرید مشترک", Some(Pillar::Networking)),
            ("کنسرسیوم صادراتی", Some(Pillar::Networking)),
            ("نشان تجاری مشترک", Some(Pillar::Networking)),
            ("آزمایشگاه مشترک", Some(Pillar::SupportInstitution)),
            ("انبار مشترک", Some(Pillar::Networking)),
            ("غرفهٔ نمایشگاه داخلی", Some(Pillar::Bds)),
            ("غرفهٔ نمایشگاه خارجی", Some(Pillar::Bds)),
            ("هیئت تجاری", Some(Pillar::Bds)),
            ("آموزش بازاریابی", Some(Pillar::Bds)),
            ("آموزش صادرات", Some(Pillar::Bds)),
            ("آموزش مدیریت مالی", Some(Pillar::Bds)),
            ("آموزش مهارت‌های فنی", Some(Pillar::Bds)),
            ("مشاورهٔ بهره‌وری", Some(Pillar::Bds)),
            ("مشاورهٔ طراحی محصول", Some(Pillar::Bds)),
            ("استقرار نظام کیفیت", Some(Pillar::Bds)),
            ("گواهی استاندارد", Some(Pillar::Bds)),
            ("نوسازی ماشین‌آلات", Some(Pillar::Bds)),
            ("ممیزی انرژی", Some(Pillar::Bds)),
            ("صندوق ضمانت خوشه", Some(Pillar::SupportInstitution)),
            ("تسهیلات سرمایه در گردش", Some(Pillar::SupportInstitution)),
            ("مرکز خدمات کسب‌وکار", Some(Pillar::SupportInstitution)),
            ("تقویت انجمن صنفی", Some(Pillar::SupportInstitution)),
            ("پیوند با دانشگاه", Some(Pillar::SupportInstitution)),
            ("فروشگاه برخط", Some(Pillar::Bds)),
            ("کاتالوگ محصولات", Some(Pillar::Bds)),
            ("شبکهٔ تأمین مواد", Some(Pillar::Networking)),
            ("شبکهٔ پیمانکاری فرعی", Some(Pillar::Networking)),
            ("تحقیق و توسعهٔ مشترک", Some(Pillar::Networking)),
            ("ثبت نشان جغرافیایی", Some(Pillar::SupportInstitution)),
        ],
    ),
    (
        PhaseName::Evaluation,
        &[("سنجش پایانی شاخص‌ها", None), ("ارزیابی دستاوردها", None), ("گزارش پایانی پروژه", None)],
    ),
];

/// Work done in a quarter.
pub const NARRATIVES: &[&str] = &[
    "نشست‌های اعتمادسازی برگزار شد.",
    "آموزش واحدها پایان یافت.",
    "شبکهٔ خرید مشترک پیش می‌رود.",
    "مذاکره با بانک عامل ادامه دارد.",
    "غرفهٔ مشترک نمایشگاه برپا شد.",
    "پیشرفت برابر برنامه است.",
];

/// Obstacles, and the action taken.
pub const ISSUES: &[(&str, &str)] = &[
    ("تأخیر در تخصیص اعتبار", "پیگیری در کارگروه استانی"),
    ("کمبود سرمایه در گردش", "معرفی به بانک عامل"),
    ("مشارکت کم واحدها", "بازدید از واحدها"),
    ("نوسان نرخ ارز", "خرید مشترک مواد اولیه"),
];

/// Joint actions of enterprises.
pub const JOINT_ACTIONS: &[&str] = &[
    "غرفهٔ مشترک در نمایشگاه",
    "خرید مشترک مواد اولیه",
    "اجارهٔ مشترک انبار",
    "هیئت تجاری مشترک",
    "تبلیغات مشترک",
    "آموزش مشترک کارکنان",
];

/// Reasons for a return.
pub const RETURNED: &[&str] = &[
    "مستندات کامل نیست",
    "فهرست شرکت‌کنندگان پیوست نیست",
    "گزارش با برنامه نمی‌خواند",
    "ارقام نیاز به بازنگری دارد",
];

/// Criteria of feasibility studies.
pub const CRITERIA: &[&str] =
    &["آمادگی واحدها برای همکاری", "دسترسی به بازار", "توان نهادهای پشتیبان", "ظرفیت صادرات"];
