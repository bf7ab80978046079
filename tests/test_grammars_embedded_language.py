import pytest

from grammars.embedded.language import REASON, unreadable
from grammars.engine.protocol import AnswerPrompt


@pytest.mark.parametrize(
    "question",
    [
        "Wie kann ich das zurücksetzen?",
        "Où est la documentation du service ?",
        "¿Cómo puedo reiniciar el servidor?",
        "どうやって再起動しますか",
        "Как перезапустить сервер?",
    ],
)
def test_a_question_in_another_language_is_told_so(question: str) -> None:
    assert unreadable(AnswerPrompt(question, ())) == REASON


@pytest.mark.parametrize(
    "question",
    [
        "How do I restart the server?",
        "KubeProxyDown firing",
        "travel per diem los angeles",
        "etcd no leader",
        "what does 'der Spiegel' mean",
        "42?",
        "",
    ],
)
def test_english_and_bare_keywords_are_read(question: str) -> None:
    assert unreadable(AnswerPrompt(question, ())) is None
