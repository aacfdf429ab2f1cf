using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>A statement and its signature, as DSSE (github.com/secure-systems-lab/dsse) has it, in one spelling.</summary>
public static class DsseEnvelope
{
    public const string PayloadType = "application/vnd.in-toto+json";

    /// <summary>The pre-authentication encoding: what is signed.</summary>
    public static byte[] ToSign(byte[] payload) =>
        [.. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"DSSEv1 {PayloadType.Length} {PayloadType} {payload.Length} ")), .. payload];

    public static string Write(byte[] payload, string keyId, byte[] signature) => Jcs.Write(new JsonObject
    {
        ["payload"] = Convert.ToBase64String(payload), ["payloadType"] = PayloadType,
        ["signatures"] = new JsonArray(new JsonObject { ["keyid"] = keyId, ["sig"] = Convert.ToBase64String(signature) }),
    });

    /// <summary>The payload, or what is wrong with the envelope.</summary>
    public static (byte[]? Payload, string KeyId, string? Finding) Open(string line, IReadOnlyList<ECDsa> keys)
    {
        if (CanonicalJson.Read(line) is not { } envelope || CanonicalJson.Unlike(envelope, "payload", "payloadType", "signatures") is not null
            || envelope["signatures"] is not JsonArray { Count: 1 } signatures || signatures[0] is not JsonObject signature || CanonicalJson.Unlike(signature, "keyid", "sig") is not null)
            return (null, "", "the last line is not an envelope in its one spelling: the bundle was cut off or changed");
        if (Text(envelope, "payloadType") != PayloadType)
            return (null, "", $"the envelope is not of {PayloadType}");
        var keyId = Text(signature, "keyid");
        if (keys.FirstOrDefault(key => ChainSignature.IdOf(key) == keyId) is not { } known)
            return (null, keyId, $"the envelope is not signed with a key that was given: {string.Join(", ", keys.Select(ChainSignature.IdOf))}");
        if (Bytes(envelope, "payload") is not { } payload || Bytes(signature, "sig") is not { } signed)
            return (null, keyId, "the envelope's payload or signature is not Base64 in its one spelling");
        return ChainSignature.Is(known, keyId, ToSign(payload), signed) ? (payload, keyId, null) : (null, keyId, "the envelope's signature does not fit: the statement or the signature was changed");
    }

    private static string Text(JsonObject item, string name) => CanonicalJson.Text(item[name]) ?? "";

    private static byte[]? Bytes(JsonObject item, string name)
    {
        var text = Text(item, name);
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var length) && Convert.ToBase64String(bytes, 0, length) == text ? bytes[..length] : null;
    }
}
