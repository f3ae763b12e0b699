"""The texts of views as boards in other languages must show them: literals that a person can check."""

from __future__ import annotations

from collections.abc import Mapping

from platform_plugin_aspects.dashboards.boards.values import VALUES

from .answers import Answer

#: {language: {the text that a view writes: what people read}}, at the rules of the site.
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {},
    "es-419": {
        "enrolled": "vigente",
        "left": "de baja",
        "unknown": "desconocida",
        "no visit for 7 days": "sin visitas desde hace 7 días",
        "never visited": "sin ninguna visita",
        "low grade": "calificación baja",
        "behind the others": "detrás de los demás",
        "few right at first": "pocos aciertan a la primera",
        "does not tell strong from weak learners": "no distingue a los estudiantes fuertes de los débiles",
        "many attempts": "muchos intentos",
    },
    "fr": {
        "enrolled": "en cours",
        "left": "terminée",
        "unknown": "inconnue",
        "no visit for 7 days": "aucune visite depuis 7 jours",
        "never visited": "aucune visite",
        "low grade": "note basse",
        "behind the others": "en retard sur les autres",
        "few right at first": "peu ont juste du premier coup",
        "does not tell strong from weak learners": "ne distingue pas les apprenants forts des faibles",
        "many attempts": "beaucoup de tentatives",
    },
    "ar": {
        "enrolled": "مسجل",
        "left": "غادر",
        "unknown": "غير معروف",
        "no visit for 7 days": "بلا زيارة منذ 7 أيام",
        "never visited": "لم يزر المساق قط",
        "low grade": "درجة منخفضة",
        "behind the others": "متأخر عن الآخرين",
        "few right at first": "قليلون أجابوا صحيحًا من أول مرة",
        "does not tell strong from weak learners": "لا تميز المتعلمين الأقوياء من الضعفاء",
        "many attempts": "محاولات كثيرة",
    },
}


def in_language(rows: Answer, columns: list[str], language: str) -> Answer:
    """Rows of a known answer, with the texts of views in the language. KeyError for one without a literal here."""
    if not WORDS[language]:
        return rows

    def said(column: str, value: str) -> str:
        if column not in VALUES or not value:
            return value
        separator = VALUES[column].separator
        parts = value.split(separator) if separator else [value]
        return separator.join(WORDS[language][part] for part in parts)

    return [tuple(said(column, value) for column, value in zip(columns, row, strict=True)) for row in rows]
