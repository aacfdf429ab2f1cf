using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace KpiControl.Agent.Secrets;

/// <summary>Changes every text in a message, however deep: what an endpoint echoes may stand in any of them.</summary>
internal static class MessageText
{
    public static void Replace(IMessage message, Func<string, string> change)
    {
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (field.HasPresence && !field.Accessor.HasValue(message))
                continue;
            var value = field.Accessor.GetValue(message);
            if (value is string text)
                field.Accessor.SetValue(message, change(text));
            else if (value is IMessage inner)
                Replace(inner, change);
            else if (value is IDictionary map)
                ReplaceIn(map, change);
            else if (value is IList list && field.FieldType is FieldType.String or FieldType.Message)
                ReplaceIn(list, change);
        }
    }

    private static void ReplaceIn(IDictionary map, Func<string, string> change)
    {
        foreach (var key in map.Keys.Cast<object>().ToList())
        {
            if (map[key] is string text)
                map[key] = change(text);
            else if (map[key] is IMessage inner)
                Replace(inner, change);
        }
    }

    private static void ReplaceIn(IList list, Func<string, string> change)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i] is string text)
                list[i] = change(text);
            else if (list[i] is IMessage inner)
                Replace(inner, change);
        }
    }
}
