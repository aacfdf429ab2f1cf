using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf.Reflection;

namespace KpiControl.Control.Rest;

/// <summary>
/// <c>POST</c> and <c>PUT /api/kpi-jobs</c> also take the artifact itself, with everything else in the query: it is put
/// into the envelope that the method knows, text as it was sent, so that the hash and every finding's line stay right.
/// </summary>
internal static class ArtifactUpload
{
    private static readonly HashSet<string> Yaml = ["application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml"];

    /// <summary>Whether the message has a place for an artifact.</summary>
    public static bool Takes(MessageDescriptor type) => type.FindFieldByName("content") is not null && type.FindFieldByName("format") is not null;

    public static bool IsYaml(string mediaType) => Yaml.Contains(mediaType);

    /// <summary>Whether a JSON body is an artifact and no envelope. An update's envelope may itself name a job_id.</summary>
    public static bool IsArtifact(byte[] body, MessageDescriptor type)
    {
        var names = JsonBody.RootNames(body);
        return !names.Contains("content") && (names.Contains("schedule") || names.Contains("kpi_id") || names.Contains("header")
            || (names.Contains("job_id") && type.FindFieldByName("job_id") is null));
    }

    public static byte[] Envelope(string content, string format, HttpRequest request, MessageDescriptor type)
    {
        var envelope = new JsonObject { ["format"] = format, ["content"] = content };
        foreach (var (name, values) in request.Query)
            envelope[name] = type.FindFieldByName(name).FieldType == FieldType.Bool ? JsonValue.Create(bool.Parse(values.ToString())) : JsonValue.Create(values.ToString());
        return JsonSerializer.SerializeToUtf8Bytes(envelope);
    }
}
