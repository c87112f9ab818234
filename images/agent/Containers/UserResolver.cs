using System.Globalization;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>A user as the container's kernel sees it.</summary>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Primary group.</param>
/// <param name="Groups">All groups, the primary one first, without doubles.</param>
/// <param name="Home">Home directory of passwd, or <c>/</c>.</param>
internal sealed record ResolvedUser(uint Uid, uint Gid, IReadOnlyList<uint> Groups, string Home);

/// <summary>Resolves an image's user words against passwd and group text. Pure.</summary>
internal static class UserResolver
{
    /// <summary>Resolves <c>""</c>, <c>name</c>, <c>uid</c>, each with an optional <c>:group</c> or <c>:gid</c>.</summary>
    /// <param name="user">The words.</param>
    /// <param name="isName">The user's word is a name that passwd must have, even if it looks like a number.</param>
    /// <param name="supplemental">Groups given by the pod.</param>
    /// <param name="strict">Groups of <paramref name="group"/> that name the user are not added.</param>
    /// <param name="passwd">Text of /etc/passwd, or null.</param>
    /// <param name="group">Text of /etc/group, or null.</param>
    /// <exception cref="AgentException">InvalidRequest: a name that the files do not know.</exception>
    internal static ResolvedUser Resolve(string user, bool isName, IReadOnlyList<uint> supplemental, bool strict, string? passwd, string? group)
    {
        int colon = user.IndexOf(':', StringComparison.Ordinal);
        string userWord = colon < 0 ? user : user[..colon];
        string groupWord = colon < 0 ? "" : user[(colon + 1)..];
        string[]? entry = FindUser(userWord, passwd);
        if (isName && entry?[0] != userWord)
        {
            throw Unknown("user", userWord, "passwd");
        }

        uint uid = entry is not null
            ? Number(entry[2]) ?? 0
            : userWord.Length == 0 ? 0 : Number(userWord) ?? throw Unknown("user", userWord, "passwd");
        uint gid = groupWord.Length > 0 ? FindGroup(groupWord, group) : entry is not null ? Number(entry[3]) ?? 0 : 0;
        List<uint> groups = [gid];
        foreach (uint given in supplemental)
        {
            Add(groups, given);
        }

        if (!strict && entry is not null)
        {
            foreach (string[] line in Lines(group, 4))
            {
                if (Number(line[2]) is { } member && Array.IndexOf(line[3].Split(','), entry[0]) >= 0)
                {
                    Add(groups, member);
                }
            }
        }

        return new ResolvedUser(uid, gid, groups, entry is { Length: > 5 } && entry[5].Length > 0 ? entry[5] : "/");
    }

    /// <summary>A name wins over a number, as in chown(1); an empty word is root.</summary>
    private static string[]? FindUser(string word, string? passwd)
    {
        uint? number = word.Length == 0 ? 0 : Number(word);
        string[]? byNumber = null;
        foreach (string[] line in Lines(passwd, 4))
        {
            if (word.Length > 0 && line[0] == word)
            {
                return line;
            }

            if (number is not null && byNumber is null && Number(line[2]) == number)
            {
                byNumber = line;
            }
        }

        return byNumber;
    }

    private static uint FindGroup(string word, string? group)
    {
        foreach (string[] line in Lines(group, 3))
        {
            if (line[0] == word && Number(line[2]) is { } gid)
            {
                return gid;
            }
        }

        return Number(word) ?? throw Unknown("group", word, "group");
    }

    private static IEnumerable<string[]> Lines(string? text, int fields)
    {
        foreach (string line in (text ?? "").Split('\n'))
        {
            string[] parts = line.TrimEnd('\r').Split(':');
            if (parts.Length >= fields && parts[0].Length > 0 && parts[0][0] != '#')
            {
                yield return parts;
            }
        }
    }

    private static void Add(List<uint> groups, uint gid)
    {
        if (!groups.Contains(gid))
        {
            groups.Add(gid);
        }
    }

    private static uint? Number(string word) =>
        uint.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out uint value) && value != uint.MaxValue ? value : null;

    private static AgentException Unknown(string kind, string word, string file) =>
        new(GuestFault.InvalidRequest, $"The image's /etc/{file} has no {kind} '{word}'. Name one it has, or give a number below 4294967295.");
}
