using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace KpiControl.Agent.Secrets;

/// <summary>Replaces secrets, in the forms in which they travel, by <c>***</c>.</summary>
internal sealed partial class Redactor
{
    private const string Mask = "***";
    // Shorter ones would black out ordinary words, and protect nothing.
    private const int ShortestSecret = 4;
    private readonly List<string> forms = [];

    public static Redactor Of(IEnumerable<string> secrets)
    {
        var redactor = new Redactor();
        foreach (var secret in secrets)
            redactor.Add(secret);
        return redactor;
    }

    public void Add(string secret)
    {
        if (secret.Length < ShortestSecret)
            return;
        forms.AddRange(FormsOf(secret).Where(form => form.Length >= ShortestSecret).Except(forms, StringComparer.Ordinal));
        forms.Sort((left, right) => right.Length.CompareTo(left.Length));
    }

    public string Redact(string text)
    {
        foreach (var form in forms)
            text = text.Replace(form, Mask, StringComparison.Ordinal);
        return text;
    }

    private static IEnumerable<string> FormsOf(string secret)
    {
        yield return secret;
        yield return secret.ReplaceLineEndings(" ");
        foreach (var form in new[] { Uri.EscapeDataString(secret), WebUtility.UrlEncode(secret), Json(secret, JavaScriptEncoder.Default), Ascii(Json(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)) })
        {
            yield return form;
            yield return Escaped().Replace(form, escape => escape.Value.ToLowerInvariant());
        }
        var relaxed = Json(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        yield return relaxed;
        yield return relaxed.Replace("/", "\\/", StringComparison.Ordinal);
        yield return secret.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        yield return Convert.ToHexString(Encoding.UTF8.GetBytes(secret));
        yield return Convert.ToHexStringLower(Encoding.UTF8.GetBytes(secret));
        for (var offset = 0; offset < 3; offset++)
        {
            var form = Base64Within(secret, offset);
            yield return form;
            yield return form.Replace('+', '-').Replace('/', '_');
        }
    }

    private static string Json(string secret, JavaScriptEncoder encoder) => JsonEncodedText.Encode(secret, encoder).ToString();

    // As many writers of JSON have it: nothing but ASCII, and nothing else escaped.
    private static string Ascii(string json) => string.Concat(json.Select(c => c < 0x7f ? $"{c}" : string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}")));

    // Their hex digits are written in either case.
    [GeneratedRegex(@"%[0-9A-F]{2}|\\u[0-9A-F]{4}", RegexOptions.CultureInvariant)]
    private static partial Regex Escaped();

    // Inside a longer text ("user:secret") a secret has one of three base64 spellings; the characters at either end
    // also depend on the neighbours and are left out.
    private static string Base64Within(string secret, int offset)
    {
        byte[] bytes = [.. new byte[offset], .. Encoding.UTF8.GetBytes(secret)];
        var text = Convert.ToBase64String(bytes);
        var end = bytes.Length / 3 * 4 + (bytes.Length % 3 == 2 ? 2 : bytes.Length % 3 == 1 ? 1 : 0);
        var start = offset == 0 ? 0 : offset + 1;
        return start < end ? text[start..end] : "";
    }
}
