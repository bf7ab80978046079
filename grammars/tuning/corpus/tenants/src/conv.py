import json,re,pathlib
K=dict(f='fact',u='number',w='who',h='howto',y='why',c='command',m='multi',n='near miss',o='offtopic')
def units(t):
    out=[];para=[];code=False;fm=False
    def flush():
        if para:
            s=' '.join(x.strip() for x in para); para.clear()
            out.extend(x for x in re.split(r'(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z0-9`"*(\[])',s) if x)
    for i,l in enumerate(t.split('\n')):
        if i==0 and l=='---': fm=True; continue
        if fm:
            if l=='---': fm=False
            continue
        if l.startswith('```'): flush(); code=not code; continue
        if code:
            if l.strip(): out.append(l.strip())
            continue
        if not l.strip() or l.startswith('#'): flush(); continue
        if l.startswith('|'): flush(); out.append(l.strip()); continue
        m=re.match(r'\s*([-*]|\d+\.)\s+',l)
        if m: flush(); l=l[m.end():]
        if l.startswith('**') and l.rstrip().endswith('**') and l.count('**')==2: flush(); out.append(l.strip()); continue
        if l.startswith('> '): l=l[2:]
        para.append(l)
    flush(); return out
P={p.as_posix():p.read_text() for p in pathlib.Path('.').glob('pages/**/*.md')}
U={n:units(t) for n,t in P.items()}
norm=lambda s:' '.join(s.split()).lower()
out=[];path=None;n=0;bad=0
for f in sorted(pathlib.Path('.').glob('src/q*.txt')):
    for ln,l in enumerate(f.read_text().splitlines(),1):
        if not l.strip(): continue
        if l.startswith('@ '): path='pages/'+l[2:].strip()+'.md'; continue
        p=[x.strip() for x in l.split(' ~ ')]
        k=K.get(p[0])
        if not k or len(p)!=(2 if k in('near miss','offtopic') else 4): print('BAD',f,ln,l[:80]);bad+=1;continue
        n+=1
        r={"id":f"tenants-{n:03d}","question":p[1],"path":None if k=='offtopic' else path,"evidence":[],"answer":"","kind":k}
        if len(p)==4:
            for e in p[2].split(' ~~ '):
                e=norm(e)
                c=[x for x in U[path] if e in norm(x)] if path in U else []
                if not c and k=='multi': c=[x for q in U for x in U[q] if e in norm(x)]
                if len(c)>1:
                    c2=[x for x in c if norm(x).startswith(e)]
                    if len(c2)==1:c=c2
                if len(c)!=1: print('EV',f.name,ln,len(c),e[:80],path);bad+=1;continue
                if c[0] not in r["evidence"]: r["evidence"].append(c[0])
            a=p[3]
            if r["evidence"] and a.lower() not in norm(' '.join(r["evidence"])) : pass
            r["answer"]=a
        out.append(r)
pathlib.Path('questions.jsonl').write_text(''.join(json.dumps(r,ensure_ascii=False)+'\n' for r in out))
nm=sum(r["kind"]=="near miss" for r in out)
print(len(out),'near',round(nm/max(1,len(out)),3),'bad',bad)
