using System.Security.Cryptography;
using Google.Protobuf;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Requests;

/// <summary>What every mutation carries beside what it is about.</summary>
/// <param name="Digest">Of the body without validate_only: a rehearsal and its real call are the same body.</param>
internal sealed record Envelope(Guid? RequestId, bool ValidateOnly, string Method, byte[] Digest)
{
    public static Envelope Of(IMessage request)
    {
        var id = (string)request.Descriptor.FindFieldByName("request_id").Accessor.GetValue(request);
        var validateOnly = request.Descriptor.FindFieldByName("validate_only").Accessor;
        var rehearsal = (bool)validateOnly.GetValue(request);
        var body = request.Descriptor.Parser.ParseFrom(request.ToByteString());
        validateOnly.SetValue(body, false);
        return new Envelope(Parse(id), rehearsal, request.Descriptor.FullName, SHA256.HashData(body.ToByteArray()));
    }

    private static Guid? Parse(string id)
    {
        if (id.Length == 0)
            return null;
        return Guid.TryParseExact(id, "D", out var parsed) ? parsed
            : throw Reject.Invalid("request_id", "not a UUID; send one like 018f4c1e-7b1a-7c3e-9d2a-5b8e6f0a1c2d, or leave it out");
    }
}
